"""Links and monitors in the moments for which OTP's documents give a guarantee."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.process.supervised import PATIENCE_S, Start, children_of, crash, ended, started, told, worker
from tinybeam.process import (
    Down,
    Exit,
    GenServer,
    ReceiveTimeout,
    Stop,
    bonds,
    dead_letters,
    demonitor,
    exit,
    link,
    monitor,
    receive,
    registered,
    self_ref,
    when_ended,
    whereis,
)


class Ending(GenServer):
    """Ends of what it is cast."""

    def handle_cast(self, message: Any, state: Any) -> Any:
        return Stop(message)


def nothing_more() -> None:
    with pytest.raises(ReceiveTimeout):
        receive(0)


def is_of(watch: Any) -> Callable[[Any], bool]:
    return lambda message: type(message) is Down and message.monitor is watch


def test_after_a_demonitor_no_down_is_put_in_the_mailbox_even_if_it_was_on_its_way(
    threads: Callable[..., threading.Thread],
) -> None:
    server = Ending.start()
    watch = monitor(server)
    begun, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert let_go.wait(PATIENCE_S)

    when_ended(server, hold)
    thread = threads(exit, server, "kill")
    assert begun.wait(PATIENCE_S)
    assert demonitor(watch) is False  # it has ended, and is about to tell us
    let_go.set()
    thread.join(PATIENCE_S)
    nothing_more()


def test_a_down_that_had_come_stays_unless_it_is_flushed() -> None:
    server = Ending.start()
    kept, flushed = monitor(server), monitor(server)
    server.stop()
    assert demonitor(kept) is False
    assert demonitor(flushed, flush=True) is False
    assert receive(0) == Down(kept, server, "normal")
    nothing_more()


def test_who_ends_itself_with_kill_ends_its_partners_with_kill_which_can_be_trapped() -> None:
    # Only an exit signal that was sent with "kill" is untrappable, and only that becomes "killed".
    server = Ending.start()
    link(server)
    watch = monitor(server)
    server.cast("kill")
    assert receive(PATIENCE_S, want=is_of(watch)).reason == "kill"
    assert receive(PATIENCE_S) == Exit(server, "kill")


def test_each_incarnation_of_a_child_has_an_end_of_its_own(start: Start) -> None:
    supervisor = start([worker("a")])
    told()
    for reason in ("one", "two"):
        child = children_of(supervisor)["a"]
        watch = monitor(child)
        crash(child, reason)
        assert receive(PATIENCE_S, want=is_of(watch)) == Down(watch, child, reason)
        assert told(2) == ended("a") + started("a")
    nothing_more()


def test_a_down_of_a_process_that_is_gone_comes_for_each_monitor_and_for_none_that_was_taken_back() -> None:
    server = Ending.start()
    server.stop()
    watches = [monitor(server) for _ in range(3)]
    assert demonitor(watches[1], flush=True) is False
    assert [receive(0) for _ in range(2)] == [Down(watch, server, "noproc") for watch in (watches[0], watches[2])]
    nothing_more()


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), "oops"])
def test_who_traps_exits_is_told_every_reason_and_lives(reason: Any) -> None:
    class Trapping(GenServer):
        trap_exit = True

        def init(self, to: Any, partner: Any) -> Any:
            link(partner)
            return to

        def handle_info(self, message: Any, to: Any) -> Any:
            to.send(message)
            return to

    partner = Ending.start()
    trapping = Trapping.start(self_ref(), partner)
    partner.cast(reason)
    assert receive(PATIENCE_S) == Exit(partner, reason)
    assert trapping.is_alive()


def test_who_has_ended_leaves_nothing_with_whom_it_has_watched_and_gets_nothing_of_them() -> None:
    watched = Ending.start()

    class Watcher(GenServer):
        def init(self) -> Any:
            monitor(watched)

    for _ in range(3):
        Watcher.start().stop()
    process, before = watched._process, dead_letters.count
    assert len(bonds.bonds_of(process).watched_by) == 0
    watched.stop()
    assert dead_letters.count == before


def test_who_goes_on_keeps_nothing_of_those_that_it_has_watched_and_was_linked_to() -> None:
    own = bonds.bonds_of(self_ref()._process)
    for _ in range(3):
        server = Ending.start_link()
        monitor(server)
        server.stop()
    assert len(own.monitors) == 0
    assert len(own.links) == 0
    assert [type(receive(0)) for _ in range(6)] == [Exit, Down] * 3


@pytest.mark.parametrize("trap_exit", [False, True])
def test_an_exit_signal_that_meets_the_end_is_nothing(trap_exit: bool) -> None:
    server = type("Trapping", (Ending,), {"trap_exit": trap_exit}).start()
    process = server._process
    server.stop()
    before = dead_letters.count
    process._tell_exit(self_ref(), "as if it had been alive a moment ago")
    assert dead_letters.count == before


def test_a_name_that_another_one_takes_in_the_moment_of_an_end_stays_with_that() -> None:
    class Named(Ending):
        def _on_buried(self, reason: object) -> None:
            if reason == "make room":
                Named.start(name="shop")

    first = Named.start(name="shop")
    first.stop("make room")
    second = whereis("shop")
    assert second is not first
    assert second.is_alive()
    assert registered() == ["shop"]
    second.stop()
    assert registered() == []
