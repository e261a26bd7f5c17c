"""Links: who ends with whom, and who is told instead."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tinybeam.process import (
    Down,
    Exit,
    GenServer,
    NoProcess,
    Process,
    StartFailed,
    exit,
    link,
    monitor,
    receive,
    self_ref,
    unlink,
)

PATIENCE_S = 30


class Linked(GenServer):
    """Links itself to whom it is told, and ends of what it is told."""

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        match message:
            case ("link", other):
                link(other)
            case ("unlink", other):
                unlink(other)
        return "done", state

    def handle_cast(self, message: Any, state: Any) -> Any:
        raise message


class Trapping(Linked):
    trap_exit = True

    def init(self, to: Any) -> Any:
        self.to = to

    def handle_info(self, message: Any, state: Any) -> Any:
        self.to.send(message)
        return state


def down_of(watch: Any) -> Any:
    return receive(PATIENCE_S, want=lambda message: type(message) is Down and message.monitor is watch)


@pytest.mark.parametrize("reason", ["shutdown", ("shutdown", 1), "kill", ValueError("x"), None, 0])
def test_an_end_that_is_not_normal_takes_the_partner_along(reason: Any) -> None:
    one, other = Linked.start(), Linked.start()
    one.call(("link", other))
    watch = monitor(other)
    one.stop(reason)
    assert down_of(watch).reason == reason


def test_a_normal_end_does_not(me: Any) -> None:
    one, other = Linked.start(), Linked.start()
    one.call(("link", other))
    one.stop("normal")
    assert other.call("still there?") == "done"


def test_a_crash_takes_the_partner_along_with_the_exception() -> None:
    one, other = Linked.start(), Linked.start()
    one.call(("link", other))
    watch = monitor(other)
    error = ValueError("x")
    one.cast(error)
    assert down_of(watch).reason is error


def test_a_kill_is_seen_as_killed_by_the_partner() -> None:
    one, other = Linked.start(), Linked.start()
    one.call(("link", other))
    watch = monitor(other)
    exit(one, "kill")
    assert down_of(watch).reason == "killed"


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), "kill", ValueError("x")])
def test_who_traps_exits_is_told_instead(me: Any, reason: Any) -> None:
    one, trapping = Linked.start(), Trapping.start(me)
    trapping.call(("link", one))
    one.stop(reason)
    assert receive(PATIENCE_S) == Exit(one, reason)
    assert trapping.is_alive()


def test_an_exit_signal_is_told_to_who_traps_exits(me: Any) -> None:
    trapping = Trapping.start(me)
    exit(trapping, "please")
    assert receive(PATIENCE_S) == Exit(me, "please")


def test_kill_cannot_be_trapped(me: Any) -> None:
    trapping = Trapping.start(me)
    watch = monitor(trapping)
    exit(trapping, "kill")
    assert not trapping.is_alive()
    assert down_of(watch).reason == "killed"


def test_a_kill_that_comes_along_a_link_can_be_trapped(me: Any) -> None:
    one, trapping = Linked.start(), Trapping.start(me)
    trapping.call(("link", one))
    one.stop("kill")
    assert receive(PATIENCE_S) == Exit(one, "kill")


def test_an_exit_signal_with_normal_is_ignored() -> None:
    one = Linked.start()
    exit(one, "normal")
    assert one.call("there?") == "done"


def test_to_link_twice_is_to_link_once(me: Any) -> None:
    one, trapping = Linked.start(), Trapping.start(me)
    trapping.call(("link", one))
    trapping.call(("link", one))
    one.stop("x")
    assert receive(PATIENCE_S) == Exit(one, "x")
    trapping.send("last")
    assert receive(PATIENCE_S) == "last"


def test_an_unlinked_partner_goes_on() -> None:
    one, other = Linked.start(), Linked.start()
    one.call(("link", other))
    other.call(("unlink", one))
    one.stop("x")
    assert other.call("there?") == "done"


def test_to_unlink_who_is_not_linked_or_has_ended_is_nothing() -> None:
    one = Linked.start()
    unlink(one)
    one.stop()
    unlink(one)
    unlink("nobody")


def test_a_link_to_who_has_ended_comes_as_noproc(me: Any) -> None:
    one = Linked.start()
    one.stop()
    link(one)
    assert receive(PATIENCE_S) == Exit(one, "noproc")
    other = Linked.start()
    watch = monitor(other)
    other.call(("link", one))
    assert down_of(watch).reason == "noproc"


def test_a_plain_thread_is_told_and_lives() -> None:
    one = Linked.start_link()
    one.stop("x")
    assert receive(PATIENCE_S) == Exit(one, "x")


def test_a_process_may_link_itself_to_itself() -> None:
    one = Linked.start()
    assert one.call(("link", one)) == "done"
    one.stop("x")
    assert not one.is_alive()


def test_a_circle_of_links_ends_as_a_whole() -> None:
    circle = [Linked.start() for _ in range(100)]
    for index, one in enumerate(circle):
        one.call(("link", circle[index - 1]))
    watches = [monitor(one) for one in circle]
    circle[50].stop("x")
    assert [down_of(watch).reason for watch in watches] == ["x"] * 100


def test_a_chain_that_is_longer_than_the_stack_ends_as_a_whole() -> None:
    chain = [Linked.start() for _ in range(3000)]
    for one, other in zip(chain, chain[1:], strict=False):
        one.call(("link", other))
    watch = monitor(chain[-1])
    chain[0].stop("x")
    assert down_of(watch).reason == "x"


def test_partners_that_end_at_the_same_time_end_once(threads: Callable[..., threading.Thread]) -> None:
    for seed in range(50):
        rnd = random.Random(seed)
        group = [Linked.start() for _ in range(6)]
        for one in group:
            one.call(("link", rnd.choice(group)))
        watches = [monitor(one) for one in group]
        barrier = threading.Barrier(3)

        def end(one: Any, how: str, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            exit(one, how)

        for one in rnd.sample(group, 3):
            threads(end, one, rnd.choice(["kill", "x", "shutdown"]))
        for one in group:
            exit(one, "last")
        for watch in watches:
            down_of(watch)
        assert not [message for message in self_ref()._process._waiting() if type(message[1]) is Down]


def test_a_process_that_is_no_genserver_calls_on_stop_when_a_link_ends_it(me: Any) -> None:
    class Plain(Process):
        def on_start(self) -> None:
            link(partner)

        def on_stop(self) -> None:
            me.send("on_stop")

    partner = Linked.start()
    plain = Plain.start()
    watch = monitor(plain)
    partner.stop("x")
    assert receive(PATIENCE_S) == "on_stop"
    assert down_of(watch).reason == "x"


def test_start_link_of_an_init_that_fails_raises_and_sends_no_exit(me: Any) -> None:
    class Failing(GenServer):
        def init(self) -> Any:
            raise ValueError

    with pytest.raises(StartFailed):
        Failing.start_link()
    me.send("only this")
    assert receive(PATIENCE_S) == "only this"


def test_a_process_that_was_killed_meanwhile_cannot_start_linked_ones(me: Any, gate: Any) -> None:
    class Parent(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            gate.wait()
            try:
                me.send(Linked.start_link())
            except (StartFailed, NoProcess) as error:
                me.send(error.reason)
            return state

    parent = Parent.start()
    parent.cast("start one")
    gate.reached()
    exit(parent, "kill")
    gate.open()
    assert receive(PATIENCE_S) == "noproc"


def test_a_process_that_is_killed_while_it_starts_has_not_started(gate: Any, threads: Any, me: Any) -> None:
    class Slow(GenServer):
        def init(self) -> Any:
            me.send(self_ref())
            gate.wait()

    def start() -> None:
        try:
            Slow.start()
            me.send("started")
        except StartFailed as error:
            me.send(error.reason)

    threads(start)
    slow = receive(PATIENCE_S)
    gate.reached()
    exit(slow, "kill")
    gate.open()
    assert receive(PATIENCE_S) == "killed"
