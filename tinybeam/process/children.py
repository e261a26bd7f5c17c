"""What a supervisor is made of: its children and its rules, checked as a whole.

Owns:  Children, which a supervisor's init returns, and the rules for a supervisor's options.
Knows: OTP's rules (supervisor:sup_flags()), with Elixir's defaults: 3 restarts in 5 seconds.
Never: starts anything.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final, Literal, get_args

from tinybeam.process.child_errors import BadSpec
from tinybeam.process.childspec import ChildSpec, child_spec

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]

MAX_RESTARTS: Final = 3
MAX_SECONDS: Final = 5.0


class Children:
    """Children, in the order in which they start, and what their supervisor does when one ends.

    More than `max_restarts` within `max_seconds`, and the supervisor ends, with "shutdown". `auto_shutdown` is whether
    the end of a significant child that is not started again ends the supervisor. Raises BadSpec, a ConfigError.

    >>> Children([], strategy="one_for_none")
    Traceback (most recent call last):
    ...
    tinybeam.process.child_errors.BadSpec: strategy must be one of one_for_one, one_for_all, rest_for_one, \
not 'one_for_none'
    """

    __slots__ = ("auto_shutdown", "max_restarts", "max_seconds", "specs", "strategy")

    def __init__(
        self,
        children: Iterable[Any],
        *,
        strategy: Strategy = "one_for_one",
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_SECONDS,
        auto_shutdown: AutoShutdown = "never",
    ) -> None:
        check_choice("strategy", strategy, get_args(Strategy))
        check_choice("auto_shutdown", auto_shutdown, get_args(AutoShutdown))
        check_intensity(max_restarts, max_seconds)
        self.strategy = strategy
        self.auto_shutdown = auto_shutdown
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self.specs = tuple(child_spec(child) for child in children)
        ids: set[Hashable] = set()
        for spec in self.specs:
            if spec.id in ids:
                raise BadSpec(f'child {spec}: another child has this id; give one another: child_spec(..., id="...")')
            ids.add(spec.id)
            check_significant(spec, auto_shutdown)


def check_choice(option: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises BadSpec when an option is none of its choices."""
    if type(value) is not str or value not in choices:
        raise BadSpec(f"{option} must be one of {', '.join(choices)}, not {value!r}")


def check_intensity(max_restarts: Any, max_seconds: Any) -> None:
    """Raises BadSpec when these are no count and no time."""
    if type(max_restarts) is not int or max_restarts < 0:
        raise BadSpec(f"max_restarts must be a whole number, 0 or more, not {max_restarts!r}")
    if type(max_seconds) not in (int, float) or not 0 < max_seconds < float("inf"):
        raise BadSpec(f"max_seconds must be a number of seconds above 0, not {max_seconds!r}")


def check_significant(spec: ChildSpec, auto_shutdown: str) -> None:
    """Raises BadSpec when a child is significant to a supervisor that does not care."""
    if spec.significant and auto_shutdown == "never":
        raise BadSpec(f'child {spec}: significant must not be set when auto_shutdown is "never"')
