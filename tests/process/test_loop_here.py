"""The thread of an event loop: each piece of work that has its turn is a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

from tinybeam.process import GenServer, Visitor, enter_loop, occupant, receive, self_ref, this_thread

PATIENCE_S = 30


class Work:
    """A piece of work that is a process when it is asked for."""

    def __init__(self) -> None:
        self.process: Any = None
        self.over = False

    def let_go(self) -> None:
        """Nobody cares."""

    def visitor(self) -> Visitor | None:
        return None if self.over else Visitor.enter("work", lambda reason: None)

    def turn(self, function: Callable[[], Any]) -> Any:
        context = Context()
        context.run(occupant.set, self)
        return context.run(function)


def in_loop(function: Callable[[], Any]) -> Any:
    """Runs a function in a thread that is a loop's."""
    results: list[Any] = []

    def work() -> None:
        enter_loop()
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE_S)
    return results[0]


def test_who_it_is_depends_on_whose_turn_it_is() -> None:
    def turns() -> Any:
        works = [Work(), Work()]
        first = [work.turn(self_ref) for work in works]
        again = [work.turn(self_ref) for work in works]
        own = [self_ref(), self_ref()]
        for work in works:
            work.process.leave()
        return first, again, own

    first, again, own = in_loop(turns)
    assert first == again
    assert own[0] is own[1]
    assert len({*first, own[0]}) == 3


def test_work_that_is_over_leaves_the_thread_to_itself() -> None:
    def turns() -> Any:
        work = Work()
        own, before = self_ref(), work.turn(self_ref)
        work.over = True
        after = work.turn(self_ref)
        work.process.leave()
        return own, before, after

    own, before, after = in_loop(turns)
    assert after is own
    assert before is not own


def test_a_call_to_an_idle_process_runs_here_and_comes_back_to_who_called() -> None:
    class Asked(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return (self_ref(), threading.get_ident(), from_.caller._actor_ref), state

    asked = Asked.start()

    def turns() -> Any:
        work = Work()
        me = work.turn(self_ref)
        told = work.turn(lambda: asked.call("who?"))
        again = work.turn(self_ref)
        work.process.leave()
        return told == (asked, threading.get_ident(), me), again is me, this_thread().depth

    assert in_loop(turns) == (True, True, 0)


def test_receive_is_refused_but_for_processes_that_are_called_from_there() -> None:
    class Receiving(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            self_ref().send("a message")
            return receive(PATIENCE_S), state

    receiving = Receiving.start()
    work = Work()
    error = in_loop(lambda: work.turn(lambda: receive(PATIENCE_S)))
    assert isinstance(error, RuntimeError)
    assert "receive_async" in str(error)
    assert in_loop(lambda: receiving.call("receive")) == "a message"


def test_a_thread_that_nobody_lends_any_more_makes_guests() -> None:
    """In the child of a fork."""

    def turns() -> Any:
        work = Work()
        lent = work.turn(lambda: this_thread().runner)
        this_thread().runner = None
        return lent is work, work.turn(lambda: this_thread().runner), type(work.turn(self_ref)._process).__name__

    assert in_loop(turns) == (True, None, "Guest")


@pytest.mark.parametrize("depth", [0, 1])
def test_a_plain_thread_is_no_loops(depth: int) -> None:
    assert not this_thread().in_loop
