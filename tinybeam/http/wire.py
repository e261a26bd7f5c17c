"""What a request can ask of the connection that it came by.

Owns:  the questions, and the answers of a request that came by none.
Knows: handles.
Never: I/O: the server has a wire that does.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, cast

R = TypeVar("R")


class Wire(Protocol):
    """Where requests come from. It is theirs together: each says its handle."""

    def has_left(self, handle: int) -> bool:
        """Whether the client has shut its side, or is gone."""

    def hint(self, handle: int, fields: bytes) -> None:
        """Tells the client fields ahead of the answer (RFC 8297)."""


class NoWire:
    """Of requests that were made by hand: their client stays, and is told nothing early."""

    def has_left(self, handle: int) -> bool:
        """It has not."""
        return False

    def hint(self, handle: int, fields: bytes) -> None:
        """Nobody hears it."""


def wired(cls: type[R], wire: Wire) -> type[R]:
    """A class for the requests that come by this wire, so that none of them has to carry it."""
    kind: Any = type(cls)
    return cast("type[R]", kind(cls.__name__, (cls,), {"_wire": wire, "__module__": cls.__module__}))
