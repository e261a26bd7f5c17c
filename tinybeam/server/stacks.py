"""Python stacks of what runs elsewhere: in another thread, or nowhere at present, as a coroutine that waits.

Owns:  the walk to them, and what is left out: the code that drives handlers is nobody's business.
Knows: that what it looks at goes on meanwhile.
Never: raises because of that.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import traceback
from typing import Any, Final

_DRIVERS: Final = (
    os.path.join(os.path.dirname(__file__), ""),
    os.path.join(os.path.dirname(asyncio.__file__), ""),
    threading.__file__,
)
# Of coroutines, and of generators that are used as such.
_FRAMES: Final = ("cr_frame", "gi_frame")
_AWAITED: Final = ("cr_await", "gi_yieldfrom")


def thread_stack(ident: int | None) -> str:
    """The stack of a thread, from where it left what drives it; "" when it has not, or has come back."""
    frame = sys._current_frames().get(ident or 0)
    return "" if frame is None else _told(traceback.extract_stack(frame))


def coroutine_stack(coroutine: Any) -> str:
    """The stack of a coroutine that waits, as far as it is made of coroutines: down to the line that awaits."""
    frames = []
    while coroutine is not None:
        frame = _first(coroutine, _FRAMES)
        if frame is None:
            break
        frames.append((frame, frame.f_lineno))
        coroutine = _first(coroutine, _AWAITED)
    return _told(traceback.StackSummary.extract(iter(frames)))


def _first(owner: Any, names: tuple[str, ...]) -> Any:
    """The first of these attributes that there is."""
    return next((found for name in names if (found := getattr(owner, name, None)) is not None), None)


def _told(entries: traceback.StackSummary) -> str:
    while entries and entries[0].filename.startswith(_DRIVERS):
        del entries[0]
    return "".join(traceback.format_list(entries)).rstrip()
