"""GenServer: every callback, and everything that it may return."""

from __future__ import annotations

from typing import Any

import pytest

from tinybeam.process import (
    BadReturn,
    CallTimeout,
    GenServer,
    Ignore,
    NoReply,
    Ok,
    ProcessExited,
    Reply,
    StartFailed,
    StartIgnored,
    Stop,
    Timeout,
    exit,
    link,
    monitor,
    receive,
    reply,
    self_ref,
    send_after,
)

PATIENCE_S = 30


class Teller(GenServer):
    """Tells the test what is called, and returns what it was given for it."""

    def init(self, to: Any, result: Any = "state") -> Any:
        self.to = to
        return result

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        self.to.send(("call", state))
        return message

    def handle_cast(self, message: Any, state: Any) -> Any:
        self.to.send(("cast", state))
        return message

    def handle_info(self, message: Any, state: Any) -> Any:
        self.to.send(("info", message, state))
        return state

    def handle_continue(self, then: Any, state: Any) -> Any:
        self.to.send(("continue", then, state))
        return then if isinstance(then, Ok | Stop | NoReply) else (state, then)

    def terminate(self, reason: Any, state: Any) -> None:
        self.to.send(("terminate", reason, state))


def told() -> Any:
    return receive(PATIENCE_S)


# init


def test_init_returns_the_state(me: Any) -> None:
    server = Teller.start(me, 7)
    assert server.call(("x", 8)) == "x"
    assert told() == ("call", 7)
    server.cast(9)
    assert told() == ("cast", 8)


def test_without_an_init_the_state_is_the_argument() -> None:
    class Plain(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return state, state

    assert Plain.start(5).call("") == 5
    assert Plain.start().call("") is None


def test_init_may_return_ok_with_a_state(me: Any) -> None:
    server = Teller.start(me, Ok(3))
    server.call(("", 4))
    assert told() == ("call", 3)


def test_init_that_stops_fails_the_start_with_its_reason(me: Any) -> None:
    with pytest.raises(StartFailed) as raised:
        Teller.start(me, Stop("no disk"))
    assert raised.value.reason == "no disk"
    assert raised.value.__cause__ is not raised.value


def test_init_that_ignores_leaves_no_process_and_says_so(me: Any) -> None:
    with pytest.raises(StartIgnored):
        Teller.start(me, Ignore(), name="ignoring")
    assert Teller.start(me, name="ignoring").is_alive()


def test_init_that_raises_fails_the_start_with_the_exception() -> None:
    class Failing(GenServer):
        def init(self) -> Any:
            raise ValueError("x")

    with pytest.raises(StartFailed) as raised:
        Failing.start()
    assert isinstance(raised.value.reason, ValueError)
    assert raised.value.__cause__ is raised.value.reason


def test_terminate_is_not_called_when_init_has_failed(me: Any) -> None:
    class Failing(Teller):
        def init(self, to: Any) -> Any:
            self.to = to
            raise ValueError

    with pytest.raises(StartFailed):
        Failing.start(me)
    me.send("end")
    assert told() == "end"


@pytest.mark.parametrize(("result", "reason"), [(Stop("no disk"), "no disk"), (Ignore(), "normal")])
def test_whom_an_init_was_linked_to_is_told_the_reason_that_it_gave(me: Any, result: Any, reason: str) -> None:
    class Linking(GenServer):
        def init(self) -> Any:
            link(me)
            return result

    with pytest.raises(StartFailed):
        Linking.start()
    assert told().reason == reason


def test_init_goes_on_with_handle_continue_before_any_message(me: Any) -> None:
    class Eager(Teller):
        def init(self, to: Any) -> Any:
            self.to = to
            self.actor_ref.cast("first message")
            return Ok(1, then="set up")

        def handle_continue(self, then: Any, state: Any) -> Any:
            self.to.send(("continue", then, state))
            return 2

    server = Eager.start(me)
    assert server.call(("a", 4)) == "a"
    assert [told() for _ in range(3)] == [("continue", "set up", 1), ("cast", 2), ("call", "first message")]


def test_who_starts_a_server_does_not_wait_for_its_handle_continue(gate: Any) -> None:
    class Slow(GenServer):
        def init(self) -> Any:
            return Ok(0, then="slow")

        def handle_continue(self, then: Any, state: Any) -> Any:
            gate.wait()
            return state

    server = Slow.start()
    gate.reached()
    assert server.is_alive()


def test_a_handle_continue_that_raises_after_init_crashes_a_process_that_has_started(gate: Any) -> None:
    class Crashing(GenServer):
        def init(self) -> Any:
            return Ok(None, then="on")

        def handle_continue(self, then: Any, state: Any) -> Any:
            gate.wait()
            raise ValueError("later")

    server, watch = Crashing.start_monitor()
    gate.open()
    down = told()
    assert (down.monitor, down.process) == (watch, server)
    assert repr(down.reason) == "ValueError('later')"


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


# ends


def test_stop_calls_terminate_with_the_reason_and_the_state(me: Any) -> None:
    server = Teller.start(me)
    assert server.stop(("shutdown", 1)) is True
    assert told() == ("terminate", ("shutdown", 1), "state")
    assert server.stop() is False


def test_a_crash_calls_terminate_with_the_exception(me: Any) -> None:
    class Crashing(Teller):
        def handle_cast(self, message: Any, state: Any) -> Any:
            raise message

    error = ValueError("x")
    server = Crashing.start(me)
    server.cast(error)
    assert told() == ("terminate", error, "state")


def test_a_kill_does_not_call_terminate(me: Any) -> None:
    server = Teller.start(me)
    exit(server, "kill")
    assert not server.is_alive()
    me.send("end")
    assert told() == "end"


def test_an_exit_signal_does_not_call_terminate_unless_exits_are_trapped(me: Any) -> None:
    server, watch = Teller.start_monitor(me)
    exit(server, "bye")
    down = told()
    assert (down.monitor, down.reason) == (watch, "bye")


def test_a_server_that_traps_exits_ends_with_its_parent(me: Any) -> None:
    class Trapping(Teller):
        trap_exit = True

    class Parent(GenServer):
        def init(self) -> Any:
            return Trapping.start_link(me)

        def handle_call(self, message: Any, from_: Any, child: Any) -> Any:
            return child, child

    parent = Parent.start()
    child = parent.call("child")
    watch = monitor(child)
    parent.stop("normal")
    assert told() == ("terminate", "normal", "state")
    down = told()
    assert (down.monitor, down.reason) == (watch, "normal")


def test_a_terminate_that_raises_ends_the_server_with_that(me: Any) -> None:
    class Failing(GenServer):
        def terminate(self, reason: Any, state: Any) -> None:
            raise ValueError("in terminate")

    server, _watch = Failing.start_monitor()
    assert server.stop("normal") is True
    assert repr(told().reason) == "ValueError('in terminate')"


def test_a_stop_with_a_state_gives_it_to_terminate(me: Any) -> None:
    server = Teller.start(me)
    server.cast(Stop("x", "given"))
    assert told()[0] == "cast"
    assert told() == ("terminate", "x", "given")


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
