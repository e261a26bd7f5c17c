"""Exit reasons: which are failures, and how they are said."""

from __future__ import annotations

from typing import Any

import pytest

from tinybeam.process.reasons import is_normal, is_orderly, said


class Odd:
    """A reason whose operators are the user's, and wrong."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("nobody asked for ==")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise ValueError("no repr")


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), ("shutdown", Odd())])
def test_orderly_reasons(reason: Any) -> None:
    assert is_orderly(reason)


@pytest.mark.parametrize(
    "reason",
    ["kill", "killed", "noproc", ValueError(), None, ("shutdown",), ("shutdown", 1, 2), ("x", 1), Odd(), (Odd(), 1)],
)
def test_all_others_are_failures(reason: Any) -> None:
    assert not is_orderly(reason)
    assert not is_normal(reason)


def test_only_normal_is_not_spread_by_links() -> None:
    assert is_normal("normal")
    assert not is_normal("shutdown")


def test_a_reason_whose_repr_raises_is_said_nevertheless() -> None:
    assert said(Odd()) == "<Odd whose repr raised ValueError>"
