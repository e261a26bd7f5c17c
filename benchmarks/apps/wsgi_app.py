"""The service as a WSGI application without a framework.

Owns:  the answers for granian (WSGI), fastpysgi, fastwsgi and bjoern.
Knows: WSGI (PEP 3333).
Never: a router's cost: paths are told apart by hand, which is the least a WSGI application can do.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

_OK = "200 OK"


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path: str = environ["PATH_INFO"]
    kind = "text/plain; charset=utf-8"
    if path == "/":
        body = b"yay"
    elif path.startswith("/users/") and path[7:].isdecimal():
        body = str(int(path[7:])).encode()
    elif path == "/echo" and environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        kind = "application/octet-stream"
    elif path == "/slow":
        time.sleep(0.1)
        body = b"slow"
    else:
        start_response("404 Not Found", [("Content-Type", kind), ("Content-Length", "9")])
        return [b"Not Found"]
    start_response(_OK, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
