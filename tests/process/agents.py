"""What tests of tasks and of registries share: calling functions inside an agent, and taking messages by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinybeam.process import ReceiveTimeout, receive
from tinybeam.process.agent import Agent

PATIENCE_S = 30


def boom(*_: Any) -> Any:
    raise KeyError("boom")


def next_message(*kinds: Any, timeout: float = PATIENCE_S) -> Any:
    return receive(timeout, want=lambda message: type(message) in kinds)


def assert_nothing_comes(*kinds: Any) -> None:
    with pytest.raises(ReceiveTimeout):
        next_message(*kinds, timeout=0)


def inside(ref: Any, function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function in a process."""
    return Agent.get(ref, lambda _: function(*args), timeout=PATIENCE_S)
