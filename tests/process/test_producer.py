"""Producers: parts when they are asked for, waits without a thread, and ends of every kind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tinybeam.process import Producer, Wait, exit, link, monitor, receive, resume, self_ref, suspend
from tinybeam.process.errors import CallTimeout
from tinybeam.process.messages import TIMEOUT

PATIENCE_S = 30


class Sink:
    """Tells the test what it is given; each part costs 1."""

    def __init__(self, to: Any) -> None:
        self._to = to

    def begin(self) -> None:
        """Each part goes on its way at once."""

    def put(self, part: Any, credit: int) -> int:
        self._to.send(("part", part))
        return credit - 1

    def flush(self, credit: int) -> int:
        return credit

    def done(self) -> None:
        self._to.send("done")

    def broken(self, error: BaseException | None) -> None:
        self._to.send(("broken", error))


@pytest.fixture
def produce(me: Any) -> Any:
    """Starts a producer of an iterator."""

    def start(iterator: Any, cls: type[Producer] = Producer) -> Producer:
        ref = cls.start(iterator, Sink(me))
        process: Producer = ref._process
        return process

    return start


def told(count: int) -> list[Any]:
    return [receive(PATIENCE_S) for _ in range(count)]


def parts(*values: Any) -> list[Any]:
    return [("part", value) for value in values]


def nothing_else() -> bool:
    with pytest.raises(TimeoutError):
        receive(0)
    return True


def settled(producer: Producer) -> bool:
    """Whether it has come to rest: it answers what it is sent after what it has to do."""
    try:
        suspend(producer.actor_ref, PATIENCE_S)
        resume(producer.actor_ref, PATIENCE_S)
    except CallTimeout:
        return False
    return True


def test_nothing_is_made_before_it_is_asked_for(produce: Any) -> None:
    producer = produce(iter(range(10)))
    assert settled(producer)
    assert nothing_else()
    producer.ask(1)
    assert told(1) == parts(0)
    assert settled(producer)
    assert nothing_else()


def test_as_much_is_made_as_is_asked_for_and_then_more(produce: Any) -> None:
    producer = produce(iter(range(300)))
    producer.ask(200)
    assert told(200) == parts(*range(200))
    assert settled(producer)
    assert nothing_else()
    producer.ask(200)
    assert told(101) == [*parts(*range(200, 300)), "done"]
    assert not producer.actor_ref.is_alive()


def test_its_end_is_a_normal_one(produce: Any) -> None:
    producer = produce(iter("a"))
    watch = monitor(producer.actor_ref)
    producer.ask(5)
    assert told(2) == [*parts("a"), "done"]
    down = receive(PATIENCE_S)
    assert (down.monitor, down.reason) == (watch, "normal")


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), GeneratorExit(), KeyboardInterrupt()], ids=repr)
def test_what_the_iterator_raises_breaks_it_and_nobody_else(produce: Any, error: BaseException) -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise error

    producer = produce(failing())
    watch = monitor(producer.actor_ref)
    producer.ask(5)
    assert told(2) == [*parts(1), ("broken", error)]
    down = receive(PATIENCE_S)
    assert (down.monitor, down.reason) == (watch, error)
    other = produce(iter("a"))
    other.ask(5)
    assert told(2) == [*parts("a"), "done"]


def test_what_the_sink_raises_breaks_it_and_closes_the_generator(produce: Any, me: Any) -> None:
    class Choosy(Sink):
        def put(self, part: Any, credit: int) -> int:
            raise TypeError("no such part")

    def careful() -> Iterator[int]:
        try:
            yield 1
        finally:
            me.send("closed")

    producer: Any = Producer.start(careful(), Choosy(me))._process
    producer.ask(5)
    broken, closed = told(2)
    assert isinstance(broken[1], TypeError)
    assert closed == "closed"


def test_a_generator_that_waits_is_given_the_message_that_ends_its_wait(produce: Any) -> None:
    def echo() -> Iterator[Any]:
        while True:
            message = yield Wait()
            yield message

    producer = produce(echo())
    producer.ask(10)
    for message in ("one", ("two", 2), None, "four"):
        producer.actor_ref.send(message)
        assert told(1) == parts(message)
    producer.actor_ref.stop()


def test_messages_that_come_before_it_waits_are_kept_in_their_order(produce: Any, gate: Any) -> None:
    def slow() -> Iterator[Any]:
        gate.wait()
        for _ in range(3):
            message = yield Wait()
            yield message

    producer = produce(slow())
    producer.ask(10)
    gate.reached()
    for message in ("one", "two", "three"):
        producer.actor_ref.send(message)
    gate.open()
    assert told(4) == [*parts("one", "two", "three"), "done"]


def test_a_wait_ends_by_itself_when_its_time_is_over(produce: Any) -> None:
    def ticking() -> Iterator[Any]:
        for number in range(3):
            yield number, (yield Wait(0.001))

    producer = produce(ticking())
    producer.ask(10)
    assert told(4) == [*parts((0, None), (1, None), (2, None)), "done"]


def test_the_end_of_an_earlier_wait_does_not_end_a_later_one(produce: Any, me: Any) -> None:
    def waiting() -> Iterator[Any]:
        yield (yield Wait(60.0))
        yield (yield Wait())

    producer = produce(waiting())
    producer.ask(10)
    assert settled(producer)
    timer = producer._timer
    producer.actor_ref.send("first")
    assert told(1) == parts("first")
    assert timer.to is None  # it does not run on for nobody
    producer._post((TIMEOUT, timer, None))  # it had been on its way
    assert settled(producer)
    assert nothing_else()
    producer.actor_ref.send("second")
    assert told(2) == [*parts("second"), "done"]


def test_no_timer_runs_on_for_one_that_has_ended(produce: Any) -> None:
    for end in ("finish", "cancel", "kill"):
        producer = produce(iter([Wait(3600.0)]))
        producer.ask(1)
        assert settled(producer)
        timer = producer._timer
        assert timer.to is not None
        if end == "finish":
            producer.finish()
        elif end == "cancel":
            producer.cancel(ConnectionError("left"))
        else:
            exit(producer.actor_ref, "kill")
        assert end == "cancel" or told(1) == ["done" if end == "finish" else ("broken", None)]
        watch = monitor(producer.actor_ref)
        assert receive(PATIENCE_S).monitor is watch
        assert timer.to is None


def test_no_thread_waits_with_it(produce: Any) -> None:
    def waiting() -> Iterator[Any]:
        yield "begun"
        yield Wait()

    before = threading.active_count()
    producers = [produce(waiting()) for _ in range(500)]
    for producer in producers:
        producer.ask(10)
    assert told(500) == parts(*["begun"] * 500)
    assert threading.active_count() <= before + 8
    for producer in producers:
        producer.finish()
    assert told(500) == ["done"] * 500


def test_an_iterator_that_is_no_generator_may_wait_as_well(produce: Any) -> None:
    producer = produce(iter([1, Wait(0.0), 2]))
    producer.ask(10)
    assert told(3) == [*parts(1, 2), "done"]


def test_code_of_a_generator_is_its_process_and_can_receive(produce: Any, me: Any) -> None:
    def talking() -> Iterator[Any]:
        me.send(self_ref())
        yield receive(PATIENCE_S)

    producer = produce(talking())
    producer.ask(1)
    ref = receive(PATIENCE_S)
    assert ref is producer.actor_ref
    ref.send("hello")
    assert told(1) == parts("hello")
    ref.stop()


def test_receive_gives_what_was_kept_first(produce: Any, gate: Any) -> None:
    def slow() -> Iterator[Any]:
        gate.wait()
        first = yield Wait()
        yield first
        yield receive(PATIENCE_S), receive(PATIENCE_S)

    producer = produce(slow())
    producer.ask(10)
    gate.reached()
    for number in range(3):
        producer.actor_ref.send(number)
    gate.open()
    assert told(3) == [*parts(0, (1, 2)), "done"]


def test_who_cancels_throws_into_the_generator_where_it_is(produce: Any, me: Any) -> None:
    error = ConnectionError("left")

    def careful() -> Iterator[Any]:
        try:
            while True:
                yield Wait()
        except ConnectionError as raised:
            me.send(("thrown", raised))
            raise

    producer = produce(careful())
    watch = monitor(producer.actor_ref)
    producer.ask(1)
    assert settled(producer)
    producer.cancel(error)
    assert told(1) == [("thrown", error)]
    down = receive(PATIENCE_S)
    assert (down.monitor, down.reason) == (watch, "normal")


@pytest.mark.parametrize("answer", ["swallows", "goes on", "raises another"])
def test_whatever_a_generator_does_with_it_a_cancel_is_the_end(produce: Any, answer: str, caplog: Any) -> None:
    def stubborn() -> Iterator[Any]:
        try:
            yield 1
        except ConnectionError:
            if answer == "goes on":
                yield 2
                yield 3
            if answer == "raises another":
                raise ValueError("while it was cleaning up") from None

    producer = produce(stubborn())
    watch = monitor(producer.actor_ref)
    producer.ask(1)
    assert told(1) == parts(1)
    producer.cancel(ConnectionError("left"))
    assert receive(PATIENCE_S).monitor is watch
    assert nothing_else()
    assert ("while it was cleaning up" in caplog.text) == (answer == "raises another")


def test_a_cancel_waits_for_a_generator_that_is_busy(produce: Any, me: Any, gate: Any) -> None:
    def busy() -> Iterator[Any]:
        gate.wait()
        try:
            yield 1
        except ConnectionError:
            me.send("told")

    producer = produce(busy())
    producer.ask(1)
    gate.reached()
    producer.cancel(ConnectionError("left"))
    assert nothing_else()
    gate.open()
    assert told(2) == [*parts(1), "told"]


def test_who_finishes_closes_the_generator_as_if_it_had_ended(produce: Any, me: Any) -> None:
    def endless() -> Iterator[Any]:
        try:
            while True:
                yield Wait()
        finally:
            me.send("closed")

    producer = produce(endless())
    producer.ask(1)
    assert settled(producer)
    producer.finish()
    assert told(2) == ["closed", "done"]


def test_a_kill_breaks_it_and_closes_the_generator(produce: Any, me: Any) -> None:
    def endless() -> Iterator[Any]:
        try:
            while True:
                yield Wait()
        finally:
            me.send("closed")

    producer = produce(endless())
    producer.ask(1)
    assert settled(producer)
    exit(producer.actor_ref, "kill")
    assert told(2) == ["closed", ("broken", None)]


def test_a_kill_in_the_middle_of_a_part_closes_the_generator_when_it_comes_out(
    produce: Any, me: Any, gate: Any
) -> None:
    def busy() -> Iterator[Any]:
        try:
            gate.wait()
            yield 1
        finally:
            me.send("closed")

    producer = produce(busy())
    producer.ask(1)
    gate.reached()
    exit(producer.actor_ref, "kill")
    assert told(1) == [("broken", None)]
    gate.open()
    assert told(1) == ["closed"]
    assert nothing_else()


def test_a_link_takes_it_down(produce: Any, obedient: Any) -> None:
    partner = obedient.start()
    producer = produce(iter([Wait()]))
    producer.ask(1)
    partner.call(lambda _self, _from, state: (link(producer.actor_ref), state))
    partner.stop("broken")
    assert told(1) == [("broken", None)]
    assert not producer.actor_ref.is_alive()


def test_a_suspended_one_makes_nothing(produce: Any) -> None:
    producer = produce(iter(range(10)))
    suspend(producer.actor_ref)
    producer.ask(5)
    assert nothing_else()
    resume(producer.actor_ref)
    assert told(5) == parts(*range(5))
    producer.actor_ref.stop()


def test_one_that_never_ends_takes_turns_with_others(produce: Any, me: Any) -> None:
    class Quiet(Sink):
        def put(self, part: Any, credit: int) -> int:
            return credit

    def endless() -> Iterator[int]:
        while True:
            yield 1

    greedy: Any = [Producer.start(endless(), Quiet(me))._process for _ in range(10)]
    for one in greedy:
        one.ask(1)
    polite = produce(iter(range(100)))
    for number in range(100):
        polite.ask(1)
        assert told(1) == parts(number)
    for one in greedy:
        exit(one.actor_ref, "kill")
    for _ in greedy:
        assert receive(PATIENCE_S) == ("broken", None)
    exit(polite.actor_ref, "kill")


@pytest.mark.parametrize("wrong", [-1, float("nan")])
def test_a_wait_lasts_no_negative_time(wrong: float) -> None:
    with pytest.raises(ValueError, match="0 seconds or longer"):
        Wait(wrong)
