"""Exit signals: in which order they come, and what they are to whom."""

from __future__ import annotations

import threading
from typing import Any

import pykka
import pytest

from tinybeam.process import GenServer, call, exit, link, monitor, receive, self_ref

PATIENCE_S = 30


class Trapping(GenServer):
    """Tells the test all that comes, in its order."""

    trap_exit = True

    def init(self, test: Any) -> Any:
        return test

    def handle_cast(self, message: Any, test: Any) -> Any:
        entered, let_go = message
        entered.set()
        let_go.wait(PATIENCE_S)
        return test

    def handle_info(self, message: Any, test: Any) -> Any:
        test.send(message)
        return test


class Ending(GenServer):
    """Sends itself an exit signal in the middle of a message."""

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        exit(self_ref(), message)
        return "answered", state


def test_what_one_sender_sends_and_its_exit_signal_come_in_their_order() -> None:
    trapping = Trapping.start(self_ref())
    entered, let_go = threading.Event(), threading.Event()
    trapping.cast((entered, let_go))
    assert entered.wait(PATIENCE_S)
    trapping.send("before")
    exit(trapping, "told")
    trapping.send("after")
    let_go.set()
    first, second, third = (receive(PATIENCE_S) for _ in range(3))
    assert first == "before"
    assert second.reason == "told"
    assert second.process is self_ref()
    assert third == "after"
    trapping.stop()


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("told", 1)])
def test_who_sends_an_exit_signal_to_itself_finishes_its_message_and_ends(reason: Any) -> None:
    ending = Ending.start()
    monitor(ending)
    assert ending.call(reason) == "answered"
    assert receive(PATIENCE_S).reason == reason


def test_the_parent_ends_even_who_traps() -> None:
    parent_of: list[Any] = []

    class Parent(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            parent_of.append(Trapping.start_link(message))
            return "started", state

    parent = Parent.start()
    parent.call(self_ref())
    [child] = parent_of
    monitor(child)
    exit(parent, "shutdown")
    assert receive(PATIENCE_S).reason == "shutdown"


def test_an_actor_of_pykkas_own_cannot_be_linked_monitored_or_called() -> None:
    class Plain(pykka.ThreadingActor):
        pass

    actor = Plain.start()
    for attempt in (link, monitor, lambda ref: call(ref, "anything")):
        with pytest.raises(TypeError, match="can only be asked and told"):
            attempt(actor)
    actor.stop()
