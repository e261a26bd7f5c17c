"""What type checkers see of calls; the types task checks it, and test_typing.py runs it."""

from __future__ import annotations

from typing import Any, assert_type

from tinybeam.process import GenServer, ProcessRef, Request


class Count(Request[int]):
    """How many there are."""


class Names(Request[list[str]]):
    """Which there are."""


class Shelf(GenServer):
    """Answers both."""

    def handle_call(self, message: Any, from_: Any, names: list[str]) -> Any:
        match message:
            case Count():
                return len(names), names
            case Names():
                return names, names


def ask(shelf: ProcessRef[Shelf]) -> tuple[int, list[str]]:
    """Calls with both."""
    count = shelf.call(Count())
    assert_type(count, int)
    names = shelf.call(Names(), timeout=1.0)
    assert_type(names, list[str])
    assert_type(Shelf.start([]), ProcessRef[Shelf])
    return count, names
