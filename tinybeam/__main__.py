"""Makes `python -m tinybeam` the same as the installed `tinybeam` command.

Owns: the program's name in usage messages.
Knows: the command line's door.
Never: does anything when it is merely imported.
"""

from tinybeam.cli import main

if __name__ == "__main__":
    main(prog_name="python -m tinybeam")
