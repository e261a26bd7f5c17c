"""The mailbox: order, one message at a time, and very many of them."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from tinybeam.process import GenServer, exit, monitor, receive
from tinybeam.process.ending import dead_letters
from tinybeam.process.messages import INFO
from tinybeam.process.ready_queue import IDLE

PATIENCE_S = 60


class Counting(GenServer):
    """Counts, and would notice two threads in itself."""

    def init(self) -> Any:
        self.inside = False
        return 0

    def handle_call(self, message: Any, from_: Any, count: Any) -> Any:
        count = self.handle_cast(message, count)
        return count, count

    def handle_cast(self, message: Any, count: Any) -> Any:
        assert not self.inside, "two messages at a time"
        self.inside = True
        for _ in range(5):
            count += 0
        self.inside = False
        return count + message


def test_the_messages_of_each_sender_keep_their_order(
    threads: Callable[..., threading.Thread], obedient: Any, me: Any
) -> None:
    server = obedient.start([])
    each, senders = 500, 4

    def note(who: int, number: int) -> Callable[..., Any]:
        return lambda _self, seen: _append(seen, (who, number))

    def send_all(who: int) -> None:
        for number in range(each):
            (server.cast if number % 3 else server.send)(note(who, number))

    for thread in [threads(send_all, who) for who in range(senders)]:
        thread.join(PATIENCE_S)
    seen = server.call(lambda _self, _from, seen: (list(seen), seen))
    assert len(seen) == each * senders
    for who in range(senders):
        assert [number for one, number in seen if one == who] == list(range(each))


def _append(seen: list[Any], one: Any) -> list[Any]:
    seen.append(one)
    return seen


def test_a_call_comes_after_the_casts_of_the_same_sender(obedient: Any) -> None:
    server = obedient.start(0)
    for number in range(1, 300):
        server.cast(lambda _self, count: count + 1)
        assert server.call(lambda _self, _from, count: (count, count)) == number


def test_a_short_call_comes_after_the_casts_of_the_same_sender(obedient: Any) -> None:
    server = obedient.start(0)
    for number in range(1, 100):
        server.cast(lambda _self, count: count + 1)
        assert server.call(lambda _self, _from, count: (count, count), 0.9) == number


def test_a_process_sends_to_itself_in_order(obedient: Any, me: Any) -> None:
    def begin(self: Any, state: Any) -> Any:
        for number in range(100):
            self.actor_ref.cast(lambda _self, state, number=number: me.send(number))
        return state

    obedient.start().cast(begin)
    assert [receive(PATIENCE_S) for _ in range(100)] == list(range(100))


def test_one_message_at_a_time_and_none_is_lost(threads: Callable[..., threading.Thread]) -> None:
    server = Counting.start()

    def work(number: int) -> None:
        for index in range(1000):
            if (index + number) % 2:
                server.call(1, PATIENCE_S)
            else:
                server.cast(1)

    for thread in [threads(work, number) for number in range(8)]:
        thread.join(PATIENCE_S)
    assert server.call(0) == 8000


def test_a_million_messages_take_ten_times_as_long_as_a_hundred_thousand(obedient: Any) -> None:
    class Small(GenServer):
        mailbox_max = 1 << 21

        def handle_cast(self, message: Any, state: Any) -> Any:
            return state + 1

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            message.wait() if message else None
            return state, state

    def drain(count: int) -> float:
        gate = _Gate()
        server = Small.start(0)
        holder = threading.Thread(target=server.call, args=(gate, None))
        holder.start()
        gate.reached.wait(PATIENCE_S)
        for _ in range(count):
            server.cast(1)
        began_s = time.process_time()
        gate.open.set()
        holder.join(PATIENCE_S)
        assert server.call(None, PATIENCE_S) == count
        server.stop()
        return time.process_time() - began_s

    few, many = min(drain(100_000) for _ in range(2)), drain(1_000_000)
    assert many < 40 * few, "not linear"


class _Gate:
    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        self.open.wait(PATIENCE_S)


def test_a_kill_and_an_exit_do_not_wait_behind_a_long_mailbox(gate: Any) -> None:
    handled: list[Any] = []

    class Slow(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            gate.wait()
            handled.append(message)
            return state

    for reason in ("kill", "bye"):
        server, watch = Slow.start_monitor()
        for number in range(10_000):
            server.cast(number)
        gate.reached()
        exit(server, reason)
        gate.open()
        assert receive(PATIENCE_S).monitor is watch
        assert len(handled) <= 2
        handled.clear()
        gate._opened.clear()


def test_what_waits_when_a_process_ends_is_counted_as_dead_letters(gate: Any) -> None:
    class Held(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            gate.wait()
            return state

    server = Held.start()
    server.cast("held")
    gate.reached()
    before = dead_letters.count
    for _ in range(20):
        server.send("lost")
    exit(server, "kill")
    server.cast("late")
    server.send("late")
    assert dead_letters.count == before + 22


def test_a_message_is_not_kept_once_it_was_handled(obedient: Any, until: Any) -> None:
    class Big:
        pass

    server = obedient.start()
    big = Big()
    seen = weakref.ref(big)
    server.cast(big)
    del big
    server.call("sync")
    until(lambda: seen() is None)


def test_nobody_runs_a_process_that_was_killed(me: Any, obedient: Any) -> None:
    server = obedient.start()
    process = server._process
    exit(server, "kill")
    # As if a sender had found it alive, and was a moment late.
    process._box.append((INFO, lambda _self, _state: me.send("handled after the kill"), None))
    process._queued = IDLE
    process._wake()
    other = obedient.start()
    other.cast(lambda _self, _state: me.send("turn of another one, later"))
    assert receive(PATIENCE_S) == "turn of another one, later"


def test_a_process_is_watched_while_its_mailbox_is_long(obedient: Any) -> None:
    server = obedient.start()
    for number in range(5000):
        server.cast(number)
    watch = monitor(server)
    server.stop("done")
    down = receive(PATIENCE_S)
    assert (down.monitor, down.reason) == (watch, "done")
