"""pykka's interface: what works as there."""

from __future__ import annotations

import asyncio
from typing import Any

import pykka
import pytest
from pykka import messages
from pykka._envelope import Envelope

from tests.process.pykka_actors import Actor, Ours, PykkaWay, Theirs
from tinybeam.process import CallTimeout, GenServer, NoProcess, Process, monitor, receive, whereis

PATIENCE_S = 30


# tell and ask


def test_start_takes_what_the_class_takes() -> None:
    ref = Actor.start(greeting="hi")
    assert isinstance(ref, pykka.ActorRef)
    assert ref.is_alive()
    assert ref.actor_class is Actor
    assert ref.proxy().greet().get(timeout=PATIENCE_S) == "hi, world!"


def test_tell_sends_and_ask_waits(me: Any) -> None:
    ref = Actor.start(me)
    assert ref.tell("t") is None
    assert ref.ask("a") == "a"
    assert [receive(0), receive(0)] == ["t", "a"]


def test_ask_gives_a_future_when_it_shall_not_wait() -> None:
    ref = Actor.start()
    future = ref.ask("a", block=False)
    assert isinstance(future, pykka.Future)
    assert future.get(timeout=PATIENCE_S) == "a"
    assert future.get() == "a"
    futures = [ref.ask(number, block=False) for number in range(20)]
    assert pykka.get_all(futures, timeout=PATIENCE_S) == list(range(20))
    assert futures[3].map(lambda number: number + 1).get(timeout=PATIENCE_S) == 4


def test_a_future_can_be_awaited_and_the_loop_goes_on(gate: Any) -> None:
    proxy = Actor.start().proxy()

    async def run() -> Any:
        late = asyncio.ensure_future(_awaited(proxy.later(gate)))
        while not gate.threads:
            await asyncio.sleep(0.001)
        gate.open()
        return await late, await proxy.greet()

    assert asyncio.run(run()) == ("late", "hello, world!")


async def _awaited(future: Any) -> Any:
    return await future


def test_an_ask_that_is_not_answered_in_time_raises_pykkas_timeout(gate: Any) -> None:
    proxy = Actor.start().proxy()
    late = proxy.later(gate)
    gate.reached()
    with pytest.raises(pykka.Timeout) as raised:
        proxy.actor_ref.ask("x", timeout=0.01)
    assert isinstance(raised.value, CallTimeout)
    with pytest.raises(pykka.Timeout):
        late.get(timeout=0.01)
    gate.open()
    assert late.get(timeout=PATIENCE_S) == "late"


def test_a_timeout_that_the_process_itself_raises_is_its_answer() -> None:
    ref = PykkaWay.start()
    error = pykka.Timeout("of its own")
    with pytest.raises(pykka.Timeout) as raised:
        ref.ask(error)
    assert raised.value is error


def test_what_was_asked_before_the_end_is_answered_and_the_rest_is_told(gate: Any) -> None:
    ref = Actor.start()
    proxy = ref.proxy()
    late = proxy.later(gate)
    gate.reached()
    stopped = ref.stop(block=False)
    after = ref.ask("after the stop", block=False)
    gate.open()
    assert late.get(timeout=PATIENCE_S) == "late"
    assert stopped.get(timeout=PATIENCE_S) is True
    with pytest.raises(pykka.ActorDeadError):
        after.get(timeout=PATIENCE_S)
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("x")
    with pytest.raises(NoProcess):
        ref.ask("x", block=False).get(timeout=PATIENCE_S)


def test_an_end_is_told_to_monitors_as_well_as_to_pykka() -> None:
    ref = Actor.start()
    watch = monitor(ref)
    assert ref.stop()
    assert receive(0).monitor is watch
    assert ref.actor_stopped.is_set()


# proxies


def test_a_proxy_calls_methods_and_reads_and_writes_attributes() -> None:
    proxy = Actor.start().proxy()
    assert proxy.greet("you", mark="?").get(timeout=PATIENCE_S) == "hello, you?"
    assert proxy.kind.get(timeout=PATIENCE_S) == "actor"
    assert proxy.greeting.get(timeout=PATIENCE_S) == "hello"
    assert proxy.loud.get(timeout=PATIENCE_S) == "HELLO"
    proxy.greeting = "bye"
    assert proxy.greet().get(timeout=PATIENCE_S) == "bye, world!"
    with pytest.raises(AttributeError):
        _ = proxy.nothing
    with pytest.raises(AttributeError):
        _ = proxy._hidden


def test_a_proxy_goes_through_traversable_attributes() -> None:
    proxy = Actor.start().proxy()
    assert proxy.player.louder(2).get(timeout=PATIENCE_S) == 5
    assert proxy.player.volume.get(timeout=PATIENCE_S) == 5
    proxy.player.volume = 9
    assert proxy.player.louder(1).get(timeout=PATIENCE_S) == 10


def test_deferred_calls_are_not_waited_for(me: Any) -> None:
    class Telling(Actor):
        def say(self, what: str) -> None:
            self.to.send(what)

    proxy = Telling.start(me).proxy()
    assert proxy.say.defer("x") is None
    assert receive(PATIENCE_S) == "x"


def test_a_proxy_to_itself_does_its_work_after_this_message(me: Any) -> None:
    class Splitting(Process):
        def __init__(self) -> None:
            self._later = self.actor_ref.proxy()

        def work(self, left: int) -> None:
            me.send(left)
            if left:
                self._later.work(left - 1)

    Splitting.start().proxy().work(3)
    assert [receive(PATIENCE_S) for _ in range(4)] == [3, 2, 1, 0]


def test_proxies_of_one_process_are_equal() -> None:
    ref = Actor.start()
    assert ref.proxy() == ref.proxy()
    assert ref.proxy() != Actor.start().proxy()
    assert len({ref.proxy(), ref.proxy()}) == 1


def test_a_proxy_of_who_has_ended_cannot_be_made_and_an_old_one_says_so() -> None:
    ref = Actor.start()
    proxy = ref.proxy()
    ref.stop()
    with pytest.raises(pykka.ActorDeadError):
        ref.proxy()
    with pytest.raises(pykka.ActorDeadError):
        proxy.greet().get(timeout=PATIENCE_S)


def test_a_genserver_has_a_proxy_too() -> None:
    class Counter(GenServer):
        def double(self) -> int:
            self._state *= 2
            return self._state

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return state, state

    ref = Counter.start(21)
    assert ref.proxy().double().get(timeout=PATIENCE_S) == 42
    assert ref.ask("state") == 42
    assert ref.call("state") == 42


def test_envelopes_may_be_put_into_the_inbox(me: Any) -> None:
    ref = Actor.start(me)
    ref.actor_inbox.put(Envelope("told"))
    future: Any = pykka.ThreadingFuture()
    ref.actor_inbox.put(Envelope("asked", reply_to=future))
    assert future.get(timeout=PATIENCE_S) == "asked"
    failing: Any = pykka.ThreadingFuture()
    ref.actor_inbox.put(Envelope(ValueError("x"), reply_to=failing))
    with pytest.raises(ValueError, match="x"):
        failing.get(timeout=PATIENCE_S)
    assert not ref.is_alive()
    late: Any = pykka.ThreadingFuture()
    ref.actor_inbox.put(Envelope("late", reply_to=late))
    with pytest.raises(pykka.ActorDeadError):
        late.get(timeout=PATIENCE_S)
    assert ref.actor_inbox.empty()


def test_pykkas_messages_may_be_sent_by_hand() -> None:
    ref = Actor.start()
    assert ref.ask(messages.ProxyGetAttr(attr_path=("greeting",))) == "hello"
    ref.ask(messages.ProxySetAttr(attr_path=("greeting",), value="hi"))
    assert ref.ask(messages.ProxyCall(attr_path=("greet",), args=("a",), kwargs={})) == "hi, a!"


# the registry


def test_pykkas_registry_finds_named_processes_and_no_others() -> None:
    class Named(GenServer):
        pass

    Actor.start()
    one = Named.start(name="one")
    assert pykka.ActorRegistry.get_all() == [one]
    assert pykka.ActorRegistry.get_by_class(Named) == [one]
    assert pykka.ActorRegistry.get_by_class_name("Named") == [one]
    assert pykka.ActorRegistry.get_by_urn(one.actor_urn) is one
    one.stop()
    assert pykka.ActorRegistry.get_all() == []


def test_pykkas_registry_broadcasts_to_named_processes_and_stops_them(me: Any) -> None:
    class Named(GenServer):
        def init(self, number: int) -> Any:
            self.number = number

        def handle_info(self, message: Any, state: Any) -> Any:
            me.send((message, self.number))
            return state

        def terminate(self, reason: Any, state: Any) -> None:
            me.send(("stopped", self.number))

    for number in range(3):
        Named.start(number, name=("named", number))
    pykka.ActorRegistry.broadcast("x")
    assert {receive(PATIENCE_S) for _ in range(3)} == {("x", number) for number in range(3)}
    assert pykka.ActorRegistry.stop_all(timeout=PATIENCE_S) == [True] * 3
    assert [receive(0) for _ in range(3)] == [("stopped", number) for number in (2, 1, 0)]
    assert whereis(("named", 0)) is None


# beside pykka's own actors


def test_a_threadingactor_asks_a_process_and_the_other_way_round() -> None:
    theirs = Theirs.start(Ours.start())
    ours = Ours.start(Theirs.start())
    try:
        assert theirs.ask("x", timeout=PATIENCE_S) == ("theirs", ("ours", "x"))
        assert ours.ask("x", timeout=PATIENCE_S) == ("ours", ("theirs", "x"))
        deep = Ours.start(Theirs.start(Ours.start(theirs)))
        assert deep.ask("x", timeout=PATIENCE_S) == ("ours", ("theirs", ("ours", ("theirs", ("ours", "x")))))
    finally:
        pykka.ActorRegistry.stop_all(timeout=PATIENCE_S)


def test_many_threadingactors_and_processes_ask_each_other_at_once() -> None:
    middle = Ours.start()
    theirs = [Theirs.start(middle) for _ in range(8)]
    try:
        futures = [one.ask(number, block=False) for number in range(50) for one in theirs]
        expected = [("theirs", ("ours", number)) for number in range(50) for _ in theirs]
        assert pykka.get_all(futures, timeout=PATIENCE_S) == expected
    finally:
        pykka.ActorRegistry.stop_all(timeout=PATIENCE_S)
