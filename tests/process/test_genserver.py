"""GenServer: the callbacks for messages and timeouts, everything that they may return, and what callers see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.process.teller import Teller, told
from tinybeam.process import (
    BadReturn,
    CallTimeout,
    GenServer,
    Ignore,
    NoReply,
    Ok,
    ProcessExited,
    Reply,
    Stop,
    Timeout,
    monitor,
    reply,
    self_ref,
    send_after,
)

# handle_call


def test_handle_call_may_return_a_reply_that_goes_on(me: Any) -> None:
    server = Teller.start(me)
    assert server.call(Reply("answer", 1, then=NoReply(2))) == "answer"
    assert told() == ("call", "state")
    assert told()[0] == "continue"
    server.cast(0)
    assert told() == ("cast", 2)


def test_a_call_may_be_answered_later_from_anywhere(obedient: Any, threads: Any) -> None:
    server = obedient.start()

    def later(_self: Any, from_: Any, state: Any) -> Any:
        threads(reply, from_, "late")
        return NoReply(state)

    assert server.call(later) == "late"


def test_a_second_reply_is_dropped(obedient: Any) -> None:
    def twice(_self: Any, from_: Any, state: Any) -> Any:
        reply(from_, 1)
        reply(from_, 2)
        return NoReply(state)

    assert obedient.start().call(twice) == 1


def test_a_call_that_stops_the_server_may_be_answered(me: Any) -> None:
    server = Teller.start(me)
    assert server.call(Stop("normal", "last", reply="bye")) == "bye"
    assert not server.is_alive()
    assert told() == ("call", "state")
    assert told() == ("terminate", "normal", "last")


def test_terminate_has_been_called_when_the_answer_of_a_stop_comes(me: Any) -> None:
    server = Teller.start(me)
    assert server.call(Stop("normal", reply="bye"), 0.9) == "bye"  # not run in this thread
    me.send("answered")
    assert [told()[0] for _ in range(2)] == ["call", "terminate"]


def test_a_call_that_stops_the_server_without_an_answer_tells_the_caller_why(me: Any) -> None:
    server = Teller.start(me)
    with pytest.raises(ProcessExited) as raised:
        server.call(Stop(("shutdown", "enough")))
    assert raised.value.reason == ("shutdown", "enough")


@pytest.mark.parametrize("wrong", [None, 1, (1,), (1, 2, 3), Ok(1), "ab"])
def test_a_wrong_return_of_handle_call_crashes_the_server_and_says_what_is_right(me: Any, wrong: Any) -> None:
    class Wrong(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return wrong

    with pytest.raises(ProcessExited) as raised:
        Wrong.start().call("")
    assert isinstance(raised.value.reason, BadReturn)
    assert "return (answer, state)" in str(raised.value.reason)


def test_ignore_is_for_init_only(obedient: Any) -> None:
    server = obedient.start()
    watch = monitor(server)
    server.cast(lambda _self, _state: Ignore())
    down = told()
    assert down.monitor is watch
    assert isinstance(down.reason, BadReturn)


def test_a_call_without_a_handle_call_crashes_the_server() -> None:
    server = GenServer.start()
    with pytest.raises(ProcessExited) as raised:
        server.call("hello")
    assert isinstance(raised.value.reason, NotImplementedError)
    assert "'hello'" in str(raised.value.reason)


# handle_cast and handle_info


@pytest.mark.parametrize("kind", ["cast", "info"])
def test_casts_and_infos_return_the_state_or_more(obedient: Any, me: Any, kind: str) -> None:
    server = obedient.start(1)
    say = server.cast if kind == "cast" else server.send
    say(lambda _self, state: state + 1)
    assert server.call(lambda _self, _from, state: (state, state)) == 2
    say(lambda _self, state: NoReply(state + 1))
    assert server.call(lambda _self, _from, state: (state, state)) == 3
    watch = monitor(server)
    say(lambda _self, state: Stop("enough"))
    down = told()
    assert (down.monitor, down.reason) == (watch, "enough")


def test_a_cast_without_a_handle_cast_crashes_the_server() -> None:
    server, watch = GenServer.start_monitor()
    server.cast("hello")
    down = told()
    assert down.monitor is watch
    assert isinstance(down.reason, NotImplementedError)


def test_an_info_without_a_handle_info_is_logged_and_dropped(caplog: pytest.LogCaptureFixture) -> None:
    server = GenServer.start(1)
    server.send("what")
    assert server.stop()
    assert "'what'" in caplog.text


def test_handle_continue_may_go_on_again_and_again(obedient: Any) -> None:
    class Chain(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            return NoReply(state, then=message)

        def handle_continue(self, then: Any, state: Any) -> Any:
            if then == 0:
                return state
            return NoReply([*state, then], then=then - 1)

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return state, state

    server = Chain.start([])
    server.cast(3)
    assert server.call("") == [3, 2, 1]


def test_what_was_to_go_on_without_a_handle_continue_crashes_the_server(obedient: Any) -> None:
    server = obedient.start()
    with pytest.raises(ProcessExited) as raised:
        server.call(lambda _self, _from, state: NoReply(state, then="x"))
    assert isinstance(raised.value.reason, NotImplementedError)


# timeouts


def test_a_timeout_comes_as_info_when_nothing_else_does(me: Any) -> None:
    server = Teller.start(me, Ok("waiting", timeout_ms=1))
    assert told() == ("info", Timeout(), "waiting")
    assert server.is_alive()


@pytest.mark.parametrize("kind", ["call", "cast", "info", "ask"])
def test_any_message_ends_a_timeout(obedient: Any, me: Any, kind: str) -> None:
    class Waiting(GenServer):
        def init(self) -> Any:
            return Ok(None, timeout_ms=300)

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return message, state

        def handle_cast(self, message: Any, state: Any) -> Any:
            return state

        def handle_info(self, message: Any, state: Any) -> Any:
            me.send(("info", message))
            return state

    server = Waiting.start()
    {"call": server.call, "cast": server.cast, "info": server.send, "ask": server.ask}[kind]("m")
    if kind == "info":
        assert told() == ("info", "m")
    send_after(server, "long after", 600)
    assert told() == ("info", "long after")


def test_a_timeout_may_be_asked_for_again_and_again(me: Any) -> None:
    class Ticking(GenServer):
        def init(self) -> Any:
            return Ok(3, timeout_ms=1)

        def handle_info(self, message: Any, left: Any) -> Any:
            me.send(left)
            return NoReply(left - 1, timeout_ms=1) if left else Stop("normal")

    server, watch = Ticking.start_monitor()
    assert [told() for _ in range(4)] == [3, 2, 1, 0]
    assert told().monitor is watch
    assert not server.is_alive()


def test_a_timeout_that_has_fired_behind_a_message_is_not_told(me: Any, gate: Any) -> None:
    class Late(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            if message == "arm":
                return NoReply(state, timeout_ms=1)
            gate.wait()  # until its timer has fired
            return state

        def handle_info(self, message: Any, state: Any) -> Any:
            me.send(message)
            return state

    server = Late.start()
    server.cast("arm")
    server.cast("hold")  # it ends the timeout, whether that has fired by now or not
    gate.reached()
    send_after(me, "fired", 30)
    assert told() in ("fired", Timeout())
    gate.open()
    server.send("last")
    assert told() in ("last", "fired")


# the caller


def test_a_crash_in_a_call_is_told_to_the_caller_with_its_cause(obedient: Any) -> None:
    def crash(_self: Any, _from: Any, _state: Any) -> Any:
        raise ValueError("x")

    for timeout in (5.0, 0.9):  # in this thread, and in another
        with pytest.raises(ProcessExited) as raised:
            obedient.start().call(crash, timeout)
        assert isinstance(raised.value.reason, ValueError)
        assert raised.value.__cause__ is raised.value.reason


def test_an_exception_that_is_an_answer_leaves_the_server_alive() -> None:
    class Picky(GenServer):
        replies_with = (KeyError,)

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            raise message

    server = Picky.start()
    with pytest.raises(KeyError):
        server.call(KeyError("k"))
    assert server.is_alive()
    with pytest.raises(ProcessExited):
        server.call(ValueError())
    assert not server.is_alive()


def test_a_late_answer_goes_nowhere(obedient: Any, gate: Any) -> None:
    server = obedient.start()

    def slow(_self: Any, _from: Any, state: Any) -> Any:
        gate.wait()
        return "late", state

    with pytest.raises(CallTimeout):
        server.call(slow, 0.01)
    gate.open()
    assert server.call("next") == "next"
    assert self_ref()._process._waiting() == []
