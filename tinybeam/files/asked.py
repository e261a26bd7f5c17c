"""What a request asks of a file: the fields that choose, condition and cut it.

Owns:  which lines of the header section count.
Knows: that lists may come in many lines, and that a field of one value counts for nothing when it comes twice.
Never: judges a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_NAMES: Final = frozenset(
    {
        "accept-encoding",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "if-range",
        "range",
    }
)


class Asked:
    """The lines of the fields that matter, by name; `head` says that no octet of the body is wanted."""

    __slots__ = ("_lines", "head")

    def __init__(self, fields: Iterable[tuple[str, str]] = (), *, head: bool = False) -> None:
        """Takes the names in lower case."""
        self.head = head
        self._lines: dict[str, list[str]] = {}
        for name, value in fields:
            if name in _NAMES:
                self._lines.setdefault(name, []).append(value)

    @classmethod
    def read(cls, block: bytes, *, head: bool) -> Asked:
        r"""From the lines of a request's term.

        >>> Asked.read(b"\nhost:a\nrange:bytes=0-1\n", head=False).single("range")
        'bytes=0-1'
        """
        lines = (line for line in block.decode("latin-1").split("\n") if ":" in line)
        pairs = (line.partition(":")[::2] for line in lines)
        return cls(pairs, head=head)

    def lines(self, name: str) -> list[str]:
        """The values of the lines of that name, in their order."""
        return self._lines.get(name, [])

    def single(self, name: str) -> str | None:
        """The value of the only line of that name; None when there is none, or more."""
        lines = self.lines(name)
        return lines[0] if len(lines) == 1 else None
