"""The command line: `tinybeam`, and `python -m tinybeam`.

Owns: the name that other rooms and the installed script use.
Knows: which file of this room holds it.
Never: defines anything.
"""

from tinybeam.cli.app import load_app
from tinybeam.cli.run import main

__all__ = ["load_app", "main"]
