"""Handles: one-shot tickets for unanswered requests.

Owns:  the slots, their generations, and the right to answer, which is taken once.
Knows: handle = salt (12 bits) | generation (32) | slot (20), as the native engine has it.
Never: lets a forged, stale or foreign handle be more than a code; uses a generation twice.
"""

from __future__ import annotations

import secrets
from typing import Final

from tinybeam import contract
from tinybeam.portable.state import Exchange, StreamState

_SLOT_BITS: Final = 20
_SLOT_MASK: Final = (1 << _SLOT_BITS) - 1
_SALT_SHIFT: Final = 52
_GENERATION_LAST: Final = 0xFFFF_FFFF


class HandleTable:
    """The slots of one engine. Any thread may take, and what says so; all else is for the holder."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._slots: list[Exchange] = []
        self._free: list[Exchange] = []
        # The one place that says who may still be answered: to take is to pop, which happens once.
        self._waiting: dict[int, Exchange] = {}
        # A random beginning makes one engine's handles strangers to another's.
        self._generation_first = secrets.randbits(31) | 1
        self._salt = secrets.randbits(12)
        self.open_count = 0

    def open(self) -> Exchange | None:
        """Opens a slot under a new handle. None when all are taken."""
        if self._free:
            exchange = self._free.pop()
        elif len(self._slots) < self._capacity:
            exchange = Exchange(len(self._slots), self._generation_first)
            self._slots.append(exchange)
        else:
            return None
        exchange.free = exchange.offered = exchange.granted = exchange.bodied = False
        self.open_count += 1
        self._name(exchange)
        return exchange

    def take(self, handle: int) -> tuple[int, Exchange | None]:
        """Takes the right to answer: OK, EDISCONNECTED (taken, but the client had left), EALREADY or EBADHANDLE.

        With the first two comes the exchange, which the caller owes to the holder of the scheduler.
        """
        exchange = self._waiting.pop(handle, None)
        if exchange is not None:
            return contract.EDISCONNECTED if exchange.connection is None else contract.OK, exchange
        return self._why_not(handle), None

    def state(self, handle: int) -> int:
        """What `take` would say. Any thread."""
        exchange = self._waiting.get(handle)
        if exchange is not None:
            return contract.EDISCONNECTED if exchange.connection is None else contract.OK
        return self._why_not(handle)

    def client(self, handle: int) -> int:
        """The same, but EDISCONNECTED also once the client has shut its side, or has left a stream. Any thread."""
        exchange = self.find_spent(handle)
        connection = None if exchange is None else exchange.connection
        return contract.EDISCONNECTED if connection is not None and connection.eof else self.state(handle)

    def _why_not(self, handle: int) -> int:
        slot = handle & _SLOT_MASK
        if handle >> _SALT_SHIFT != self._salt or slot >= len(self._slots):
            return contract.EBADHANDLE
        generation = handle >> _SLOT_BITS & _GENERATION_LAST
        known = self._slots[slot]
        # A generation that was given out before is a handle that was spent before.
        spent = generation < known.generation or (generation == known.generation and not known.free)
        return contract.EALREADY if spent and generation >= self._generation_first else contract.EBADHANDLE

    def awaits(self, exchange: Exchange) -> bool:
        """Whether whoever has its handle may still answer."""
        return self._waiting.get(exchange.handle) is exchange

    def find(self, handle: int) -> Exchange | None:
        """The exchange that waits under this handle, if one does."""
        return self._waiting.get(handle)

    def find_spent(self, handle: int) -> Exchange | None:
        """The exchange that was last under this handle: it may be a stream, as long as it is not closed."""
        slot = handle & _SLOT_MASK
        exchange = self._slots[slot] if slot < len(self._slots) else None
        return exchange if exchange is not None and exchange.handle == handle else None

    def reopen(self, exchange: Exchange) -> bool:
        """Makes an exchange that was taken wait again, under a new handle. False when there is none left for it."""
        if exchange.generation == _GENERATION_LAST:
            return False
        exchange.generation += 1
        self._name(exchange)
        return True

    def close(self, exchange: Exchange) -> None:
        """Frees the slot; its handle is stale from now on."""
        self._waiting.pop(exchange.handle, None)
        exchange.connection = None
        exchange.answer = b""
        if exchange.cargo is not None:
            exchange.cargo.close()
            exchange.cargo = None
        exchange.stream = StreamState.NONE
        self.open_count -= 1
        if exchange.generation == _GENERATION_LAST:
            return  # retired, so that no old handle can become valid again
        exchange.generation += 1
        exchange.free = True
        self._free.append(exchange)

    def _name(self, exchange: Exchange) -> None:
        name = self._salt << _SALT_SHIFT | exchange.generation << _SLOT_BITS | exchange.slot
        exchange.handle = name
        self._waiting[name] = exchange
