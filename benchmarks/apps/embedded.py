"""Runs the WSGI service in a server that is a library: `python -m benchmarks.apps.embedded bjoern 8000`.

Owns:  the one call that starts each such server.
Knows: the names that bjoern, fastpysgi and fastwsgi gave to that call.
Never: more than one worker, or an option that its users would not set.
"""

import importlib
import sys

from benchmarks.apps.wsgi_app import app


def main(name: str, port: int) -> None:
    server = importlib.import_module(name)
    if name == "bjoern":
        server.run(app, "127.0.0.1", port, listen_backlog=2048)
    else:
        server.run(app, "127.0.0.1", port)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
