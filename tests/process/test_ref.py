"""Refs: what they are to others, alive and afterwards."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from tinybeam.process import CallTimeout, GenServer, NoProcess, ProcessRef, exit, receive, self_ref

PATIENCE_S = 30


def test_a_ref_is_equal_to_itself_only_and_can_be_a_key() -> None:
    one, other = GenServer.start(), GenServer.start()
    assert one == one
    assert one != other
    assert {one: 1, other: 2}[one] == 1


def test_a_ref_knows_its_class_and_has_a_number_of_its_own() -> None:
    class Mine(GenServer):
        pass

    one, other = Mine.start(), Mine.start()
    assert isinstance(one, ProcessRef)
    assert isinstance(one, pykka.ActorRef)
    assert one.actor_class is Mine
    assert one.id != other.id
    assert one.id == one.id
    assert str(one) == f"Mine {one.id}"
    assert repr(one) == f"<Mine {one.id}>"
    assert one.actor_urn != other.actor_urn


def test_the_number_is_the_same_for_whoever_asks_first(threads: Callable[..., threading.Thread]) -> None:
    for _ in range(50):
        one = GenServer.start()
        seen: list[int] = []
        for thread in [threads(lambda one=one, seen=seen: seen.append(one.id)) for _ in range(3)]:
            thread.join(PATIENCE_S)
        assert len(set(seen)) == 1


def test_a_ref_outlives_its_process_and_keeps_nothing_of_it() -> None:
    class Big:
        pass

    big = Big()
    seen = weakref.ref(big)
    ref = GenServer.start(big)
    del big
    ref.stop()
    gc.collect()
    assert seen() is None
    assert not ref.is_alive()
    assert str(ref)


def test_an_ended_process_is_talked_to_in_vain(me: Any) -> None:
    ref = GenServer.start()
    ref.stop()
    ref.cast("silent")
    ref.send("silent")
    exit(ref, "silent")
    with pytest.raises(NoProcess):
        ref.tell("not silent")
    with pytest.raises(NoProcess):
        ref.ask("not silent")
    with pytest.raises(NoProcess):
        ref.ask("not silent", block=False).get(timeout=PATIENCE_S)
    with pytest.raises(pykka.ActorDeadError):
        ref.proxy()
    assert ref.stop() is False
    assert ref.stop(block=False).get(timeout=PATIENCE_S) is False


def test_a_stop_comes_after_what_was_sent_before(obedient: Any, me: Any) -> None:
    server = obedient.start()
    for number in range(50):
        server.cast(lambda _self, state, number=number: me.send(number))
    assert server.stop() is True
    assert [receive(0) for _ in range(50)] == list(range(50))


def test_a_stop_that_takes_too_long_raises_and_the_process_ends_all_the_same(gate: Any, obedient: Any) -> None:
    server = obedient.start()
    server.cast(lambda _self, state: gate.wait())
    gate.reached()
    with pytest.raises(CallTimeout):
        server.stop(timeout=0.01)
    stopped = server.stop(block=False)
    gate.open()
    assert stopped.get(timeout=PATIENCE_S) is True
    assert not server.is_alive()


def test_a_stop_of_an_idle_process_with_a_short_timeout_keeps_it(gate: Any) -> None:
    class Slow(GenServer):
        def terminate(self, reason: Any, state: Any) -> None:
            gate.wait()

    server = Slow.start()
    with pytest.raises(CallTimeout):
        server.stop(timeout=0.01)
    gate.open()


def test_not_to_wait_for_a_stop_means_not_to_wait(gate: Any) -> None:
    class Slow(GenServer):
        def terminate(self, reason: Any, state: Any) -> None:
            gate.wait()

    server = Slow.start()
    stopped = server.stop(block=False)
    gate.open()
    assert stopped.get(timeout=PATIENCE_S) is True


def test_not_to_wait_for_an_answer_means_not_to_wait(gate: Any, obedient: Any) -> None:
    server = obedient.start()
    future = server.ask(lambda _self, _from, state: (gate.wait(), state), block=False)
    gate.open()
    assert future.get(timeout=PATIENCE_S) is None


def test_many_stop_one_process_and_it_ends_once(threads: Callable[..., threading.Thread], me: Any) -> None:
    class Telling(GenServer):
        def terminate(self, reason: Any, state: Any) -> None:
            me.send("terminate")

    for _ in range(30):
        server = Telling.start()
        barrier = threading.Barrier(4)
        stopped: list[bool] = []

        def stop(server: Any = server, barrier: Any = barrier, stopped: list[bool] = stopped) -> None:
            barrier.wait()
            stopped.append(server.stop())

        for thread in [threads(stop) for _ in range(4)]:
            thread.join(PATIENCE_S)
        assert any(stopped)
        assert receive(0) == "terminate"
        me.send("last")
        assert receive(0) == "last"


def test_a_process_stops_itself_by_its_own_ref(obedient: Any, me: Any) -> None:
    server = obedient.start()
    assert server.call(lambda self, _from, state: (self.actor_ref.stop(), state)) is True
    server.stop()
    assert not server.is_alive()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_actor_stopped_is_set_at_the_end(end: str, threads: Any) -> None:
    server = GenServer.start()
    stopped = server.actor_stopped
    assert not stopped.is_set()
    assert server.actor_stopped is stopped
    threads(lambda: server.stop() if end == "stop" else exit(server, "kill"))
    assert stopped.wait(PATIENCE_S)
    other = GenServer.start()
    other.stop()
    assert other.actor_stopped.is_set()


def test_actor_stopped_is_set_whenever_it_is_asked_for(threads: Callable[..., threading.Thread]) -> None:
    for _ in range(200):
        server = GenServer.start()
        thread = threads(exit, server, "kill")
        stopped = server.actor_stopped
        thread.join(PATIENCE_S)
        assert stopped.wait(PATIENCE_S)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_ref_is_the_ref(copied: Callable[[Any], Any]) -> None:
    server = GenServer.start()
    assert copied(server) is server
    assert copied([server])[0] is server


def test_the_ref_of_the_test_is_its_own(me: Any) -> None:
    assert self_ref() is me
