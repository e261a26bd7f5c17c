"""Who may come into an engine: nobody once it is closed, or in a forked copy of it.

Owns:  whether the engine is open, closed, or another process's.
Knows: that a forked child has none of the threads, and maybe locks that nobody will ever open: so none is asked here.
Never: waits.
"""

from __future__ import annotations

import threading

from tinybeam import contract


class Entrance:
    """`check` it before anything else of the engine is touched."""

    __slots__ = ("_code", "_closing")

    def __init__(self) -> None:
        self._code = contract.OK
        self._closing = threading.Lock()

    @property
    def code(self) -> int:
        """OK, ESHUTDOWN or EFORKED."""
        return self._code

    def check(self, what: str) -> None:
        """Raises NativeError, which begins with `what`, when nobody may come in."""
        if self._code != contract.OK:
            contract.checked(self._code, what)

    def close(self) -> bool:
        """True for the one caller that is to close the engine."""
        if self._code != contract.OK or not self._closing.acquire(blocking=False):
            return False
        self._code = contract.ESHUTDOWN
        return True

    def abandon(self) -> None:
        """This is a forked child."""
        self._code = contract.EFORKED
