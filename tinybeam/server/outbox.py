"""Parts of a body that a runner has been given and that are not on their way yet: they go together.

Owns:  the parts of a turn, until they are pushed, and their order.
Knows: that a runner is inside one stream's source at a time; that whoever takes over from one that is blocked there
       sends what it has gathered, so that no part waits for the next one to be made.
Never: mixes the parts of two streams; holds any between turns.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from tinybeam.http import KIND_PART

_NOBODY: Final[tuple[Any, list[bytes]]] = (None, [])


class Outbox:
    """Of one runner. `open` and `close` are for its own thread, `flush` for any."""

    __slots__ = ("_lock", "_turn")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A stream, and its parts.
        self._turn: tuple[Any, list[bytes]] = _NOBODY

    def open(self, stream: Any) -> list[bytes]:
        """A turn of a stream begins. Its parts are put in this list, each while the one before may be gone already."""
        self._turn = (stream, [])
        return self._turn[1]

    def flush(self) -> None:
        """Sends what there is, as one part. Raises MemoryError when there is none for it; it is kept then."""
        stream, parts = self._turn
        if stream is not None:
            self._push(stream, parts, KIND_PART)

    def close(self, stream: Any, parts: list[bytes], kind: int) -> int:
        """The turn is over: sends what there is; what the engine said of it, 0 when there was nothing to send.

        Raises MemoryError.
        """
        self._turn = _NOBODY
        return self._push(stream, parts, kind)

    def _push(self, stream: Any, parts: list[bytes], kind: int) -> int:
        with self._lock:
            count = len(parts)
            if count == 0 and kind == KIND_PART:
                return 0
            code: int = stream.send(parts[0] if count == 1 else b"".join(parts[:count]), kind)
            del parts[:count]
            return code
