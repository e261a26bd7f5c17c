"""Where in the user's program a route was declared, for messages that name it.

Owns:  "file:line" of the nearest caller outside this room.
Knows: Python's frames.
Never: a look at the source itself.
"""

from __future__ import annotations

import os
import sys

_ROOM = "tinybeam.router."


def caller_place() -> str:
    """The place that called into the router, such as "hello.py:12"; relative to the working directory if below it."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith(_ROOM):
        frame = frame.f_back
    return f"{_shortened(frame.f_code.co_filename)}:{frame.f_lineno}"


def _shortened(path: str) -> str:
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        # The working directory may be gone, or on another drive.
        return path
    return path if relative.startswith(os.pardir) else relative
