"""Receive: who takes which message, and what wakes who waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tinybeam.process import (
    Call,
    Down,
    Exit,
    GenServer,
    ProcessExited,
    ReceiveTimeout,
    exit,
    link,
    monitor,
    receive,
    reply,
    self_ref,
    send_after,
)

PATIENCE_S = 30


class Receiving(GenServer):
    """Waits in `receive` when it is told to, and tells the test what it got."""

    def init(self, to: Any) -> Any:
        self.to = to

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return message, state

    def handle_cast(self, message: Any, state: Any) -> Any:
        if message == "receive":
            self.to.send("waits")
            got = receive(PATIENCE_S)
            self.to.send(("got", got))
        else:
            self.to.send(("cast", message))
        return state

    def handle_info(self, message: Any, state: Any) -> Any:
        self.to.send(("info", message))
        return state

    def terminate(self, reason: Any, state: Any) -> None:
        self.to.send(("terminate", reason))


class Trapping(Receiving):
    trap_exit = True


@pytest.fixture
def waiting(me: Any, until: Any) -> Callable[..., Any]:
    """Starts a process and has it wait in `receive`."""

    def start(kind: Any = Receiving) -> Any:
        server = kind.start(me)
        server.cast("receive")
        assert receive(PATIENCE_S) == "waits"
        process = server._process
        until(lambda: process._bonds is not None and process._bonds.receiver is not None)
        return server

    return start


# a plain thread


def test_messages_are_taken_in_their_order(me: Any) -> None:
    for number in range(100):
        me.send(number)
    assert [receive(0) for _ in range(100)] == list(range(100))


def test_nothing_came(me: Any) -> None:
    with pytest.raises(ReceiveTimeout, match=r"0\.01 s"):
        receive(0.01)
    with pytest.raises(ReceiveTimeout):
        receive(0)


def test_a_message_wakes_who_waits(me: Any) -> None:
    send_after(me, "x", 20)
    assert receive() == "x"


def test_what_is_not_wanted_stays_in_its_order(me: Any) -> None:
    for number in (1, 2, 3, 4):
        me.send(number)
    assert receive(0, want=lambda message: message % 2 == 0) == 2
    assert [receive(0) for _ in range(3)] == [1, 3, 4]


def test_what_is_not_wanted_does_not_end_the_wait(me: Any) -> None:
    for delay_ms in (1, 5, 10):
        send_after(me, delay_ms, delay_ms)
    assert receive(PATIENCE_S, want=lambda message: message == 10) == 10
    assert [receive(0), receive(0)] == [1, 5]


def test_a_want_that_raises_takes_nothing(me: Any) -> None:
    me.send(1)
    with pytest.raises(ZeroDivisionError):
        receive(0, want=lambda message: 1 // 0)
    assert receive(0) == 1


def test_messages_whose_operators_are_wrong_are_taken_nevertheless(me: Any) -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("nobody asked for ==")

        __hash__ = None  # type: ignore[assignment]

    odd = [Odd() for _ in range(3)]
    for one in odd:
        me.send(one)
    assert receive(0, want=lambda message: message is odd[1]) is odd[1]
    assert receive(0) is odd[0]


def test_a_call_to_a_thread_comes_as_a_call(me: Any, threads: Any) -> None:
    threads(lambda: me.send(("answered", me.call("question", PATIENCE_S))))
    got = receive(PATIENCE_S)
    assert isinstance(got, Call)
    assert got.message == "question"
    reply(got.from_, "answer")
    assert receive(PATIENCE_S) == ("answered", "answer")


def test_each_thread_has_its_own_mailbox(me: Any, threads: Any) -> None:
    def run() -> None:
        own = self_ref()
        own.send("mine")
        me.send((own is me, receive(0)))

    threads(run)
    assert receive(PATIENCE_S) == (False, "mine")


def test_a_thread_that_ends_is_down(me: Any, threads: Any) -> None:
    threads(lambda: (me.send(self_ref()), receive(PATIENCE_S)))
    guest = receive(PATIENCE_S)
    watch = monitor(guest)
    guest.send("go")
    assert receive(PATIENCE_S) == Down(watch, guest, "normal")


def test_a_thread_that_ends_is_down_though_what_it_raised_is_kept(me: Any, threads: Any) -> None:
    kept: list[BaseException] = []

    def run() -> None:
        me.send(self_ref())
        try:
            receive(0, want=lambda _message: False)
        except TimeoutError as error:
            kept.append(error)  # and with it the frames, which refer to what is the thread's
        receive(PATIENCE_S)

    threads(run)
    guest = receive(PATIENCE_S)
    watch = monitor(guest)
    guest.send("go")
    assert receive(PATIENCE_S) == Down(watch, guest, "normal")
    assert len(kept) == 1


# a process


def test_a_process_receives_in_the_middle_of_a_callback(waiting: Any) -> None:
    server = waiting()
    server.send("x")
    assert receive(PATIENCE_S) == ("got", "x")


def test_casts_sends_and_calls_are_received(waiting: Any, threads: Any) -> None:
    server = waiting()
    server.cast("c")
    assert receive(PATIENCE_S) == ("got", "c")
    server = waiting()
    threads(lambda: pytest.raises(ProcessExited, server.call, "q", PATIENCE_S))
    got = receive(PATIENCE_S)[1]
    assert (type(got), got.message) == (Call, "q")
    exit(server, "kill")


def test_after_a_receive_the_process_goes_on_being_run(waiting: Any) -> None:
    for _ in range(20):
        server = waiting()
        server.send("x")
        assert receive(PATIENCE_S) == ("got", "x")
        server.cast("next")
        assert receive(PATIENCE_S) == ("cast", "next")
        server.send("and then")
        assert receive(PATIENCE_S) == ("info", "and then")


def test_after_a_receive_that_timed_out_too(me: Any) -> None:
    class Impatient(Receiving):
        def handle_cast(self, message: Any, state: Any) -> Any:
            with pytest.raises(ReceiveTimeout):
                receive(0.001, want=lambda _: False)
            self.to.send(message)
            return state

    server = Impatient.start(me)
    for number in range(50):
        server.cast(number)
    assert [receive(PATIENCE_S) for _ in range(50)] == list(range(50))
    server.send("x")
    assert receive(PATIENCE_S) == ("info", "x")


def test_what_was_left_is_handled_afterwards(me: Any) -> None:
    class Choosy(Receiving):
        def handle_cast(self, message: Any, state: Any) -> Any:
            self.to.send("waits")
            self.to.send(receive(PATIENCE_S, want=lambda message: message == "this"))
            return state

    server = Choosy.start(me)
    server.cast("")
    assert receive(PATIENCE_S) == "waits"
    for message in ("that", "this", "and that"):
        server.send(message)
    assert [receive(PATIENCE_S) for _ in range(3)] == ["this", ("info", "that"), ("info", "and that")]


def test_a_stop_is_no_message_and_waits_for_the_callback(waiting: Any) -> None:
    server = waiting()
    stopped = server.stop(block=False)
    server.send("x")
    assert receive(PATIENCE_S) == ("got", "x")
    assert receive(PATIENCE_S) == ("terminate", "normal")
    assert stopped.get(timeout=PATIENCE_S) is True


def test_an_exit_signal_ends_a_process_that_receives(waiting: Any) -> None:
    server = waiting()
    watch = monitor(server)
    exit(server, "enough")
    assert receive(PATIENCE_S) == Down(watch, server, "enough")


def test_a_link_ends_a_process_that_receives(waiting: Any, me: Any) -> None:
    partner = GenServer.start()

    class Linked(Receiving):
        def init(self, to: Any) -> Any:
            link(partner)
            super().init(to)

    server = waiting(Linked)
    watch = monitor(server)
    partner.stop("x")
    assert receive(PATIENCE_S) == Down(watch, server, "x")


def test_a_process_that_traps_exits_receives_them(waiting: Any, me: Any) -> None:
    server = waiting(Trapping)
    exit(server, "enough")
    assert receive(PATIENCE_S) == ("got", Exit(me, "enough"))
    assert server.is_alive()


def test_a_kill_frees_the_thread_that_waits_for_ever(me: Any, until: Any) -> None:
    class Patient(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            threads.append(threading.current_thread())
            try:
                receive()
            finally:
                me.send("freed")
            return state

    threads: list[threading.Thread] = []
    server = Patient.start()
    server.cast("")
    until(lambda: threads and server._process._bonds is not None and server._process._bonds.receiver is not None)
    exit(server, "kill")
    assert receive(PATIENCE_S) == "freed"


def test_a_process_that_was_ended_meanwhile_receives_nothing_more(me: Any, gate: Any) -> None:
    class Deaf(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            gate.wait()
            try:
                receive(0)
            except BaseException as error:
                me.send(type(error).__name__)
                raise
            return state

    server = Deaf.start()
    server.cast("")
    gate.reached()
    exit(server, "kill")
    gate.open()
    assert receive(PATIENCE_S) == "Ended"


def test_who_waits_in_a_process_costs_no_processor_time(waiting: Any, me: Any) -> None:
    server = waiting()
    before_s = time.process_time()
    send_after(me, "after a while", 300)
    assert receive(PATIENCE_S) == "after a while"
    assert time.process_time() - before_s < 0.2
    server.send("x")
    assert receive(PATIENCE_S) == ("got", "x")


def test_others_go_on_while_many_processes_receive(waiting: Any, me: Any) -> None:
    blocked = [waiting() for _ in range(50)]
    other = Receiving.start(me)
    other.cast("me too")
    assert receive(PATIENCE_S) == ("cast", "me too")
    for one in blocked:
        one.send("x")
    assert [receive(PATIENCE_S) for _ in blocked] == [("got", "x")] * 50


@pytest.mark.parametrize("seed", range(5))
def test_no_message_is_lost_between_two_receives(threads: Callable[..., threading.Thread], me: Any, seed: int) -> None:
    count = 2000

    def send_all() -> None:
        for number in range(count):
            me.send((seed, number))

    threads(send_all)
    assert [receive(PATIENCE_S) for _ in range(count)] == [(seed, number) for number in range(count)]
