"""Type checkers know what a call answers, by its message: the types task checks `typed_calls`, and here it is run."""

from __future__ import annotations

from tests.process.typed_calls import Shelf, ask


def test_the_program_that_is_checked_does_what_its_types_say() -> None:
    shelf = Shelf.start(["Emil", "Karlsson"])
    assert ask(shelf) == (2, ["Emil", "Karlsson"])
    shelf.stop()
