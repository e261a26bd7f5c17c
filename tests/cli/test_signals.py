"""Signals: what TERM and INT do to a running server, and the exit codes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from tinybeam.cli.signals import SignalWatch

TERM, INT = signal.SIGTERM, signal.SIGINT


class ScriptedServer:
    """A server of which a test says what happens: when it drains, and when it stops."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.stopped = threading.Event()
        self.on_drain: Callable[[], bool] = lambda: True
        self.on_wait: Callable[[], object] = lambda: None

    def drain(self, timeout_ms: int) -> bool:
        self.calls.append(f"drain {timeout_ms}")
        finished = self.on_drain()
        self.stopped.set()
        return finished

    def stop(self) -> None:
        self.calls.append("stop")
        self.stopped.set()

    def wait(self) -> None:
        self.on_wait()
        self.stopped.wait()

    def stats(self) -> dict[str, int]:
        return {"handles_open": 3}


@pytest.fixture
def handler_of_int() -> Iterator[object]:
    """The handler of INT before the test, put back after it: a watch that saw INT leaves the kernel's own."""
    handler = signal.getsignal(INT)
    yield handler
    signal.signal(INT, handler)


@pytest.fixture
def watch(handler_of_int: object) -> Iterator[SignalWatch]:
    with SignalWatch() as watch:
        yield watch


@pytest.fixture
def server() -> ScriptedServer:
    return ScriptedServer()


def test_term_drains_and_exits_with_0(watch: SignalWatch, server: ScriptedServer) -> None:
    server.on_wait = lambda: os.kill(os.getpid(), TERM)
    assert watch.supervise(server, 5000) == 0
    assert server.calls == ["drain 5000"]


def test_a_drain_that_cut_something_exits_with_1_and_says_how_much(
    watch: SignalWatch, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on_drain = lambda: False
    server.on_wait = lambda: os.kill(os.getpid(), TERM)
    assert watch.supervise(server, 5000) == 1
    assert "3 unanswered requests were cut" in caplog.text


def test_the_result_of_a_drain_is_waited_for_though_the_server_has_stopped(
    watch: SignalWatch, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = threading.Event()
    join = threading.Thread.join

    def tell(thread: threading.Thread, timeout: float | None = None) -> None:
        joined.set()
        join(thread, timeout)

    def drain() -> bool:
        server.stopped.set()
        joined.wait()
        return True

    monkeypatch.setattr(threading.Thread, "join", tell)
    server.on_drain = drain
    server.on_wait = lambda: os.kill(os.getpid(), TERM)
    assert watch.supervise(server, 5000) == 0


def test_a_drain_that_fails_exits_with_1(watch: SignalWatch, server: ScriptedServer) -> None:
    def fail() -> bool:
        server.stopped.set()
        raise OSError("scripted")

    server.on_drain = fail
    server.on_wait = lambda: os.kill(os.getpid(), TERM)
    failures: list[object] = []
    hook, threading.excepthook = threading.excepthook, lambda args: failures.append(args.exc_value)
    try:
        assert watch.supervise(server, 5000) == 1
    finally:
        threading.excepthook = hook
    assert len(failures) == 1


def test_int_stops_and_exits_with_0(watch: SignalWatch, server: ScriptedServer) -> None:
    server.on_wait = lambda: os.kill(os.getpid(), INT)
    assert watch.supervise(server, 5000) == 0
    assert server.calls == ["stop"]


def test_int_stops_a_drain(watch: SignalWatch, server: ScriptedServer) -> None:
    def drain() -> bool:
        os.kill(os.getpid(), INT)
        server.stopped.wait()
        return False

    server.on_drain = drain
    server.on_wait = lambda: os.kill(os.getpid(), TERM)
    assert watch.supervise(server, 5000) == 0
    assert server.calls == ["drain 5000", "stop"]


def test_a_second_term_changes_nothing(watch: SignalWatch, server: ScriptedServer) -> None:
    def drain() -> bool:
        os.kill(os.getpid(), TERM)
        return True

    server.on_drain = drain
    server.on_wait = lambda: os.kill(os.getpid(), TERM)
    assert watch.supervise(server, 5000) == 0
    assert server.calls == ["drain 5000"]


@pytest.mark.usefixtures("handler_of_int")
def test_after_int_the_next_one_is_the_kernels_until_the_program_ends(server: ScriptedServer) -> None:
    server.on_wait = lambda: os.kill(os.getpid(), INT)
    with SignalWatch() as watch:
        watch.supervise(server, 5000)
        assert signal.getsignal(INT) is signal.SIG_DFL
    assert signal.getsignal(INT) is signal.SIG_DFL


def test_a_server_that_stops_by_itself_exits_with_1(
    watch: SignalWatch, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.stopped.set()
    assert watch.supervise(server, 5000) == 1
    assert "stopped by itself" in caplog.text


def test_a_signal_that_another_thread_receives_wakes_the_main_thread(
    watch: SignalWatch, server: ScriptedServer
) -> None:
    server.on_wait = lambda: signal.pthread_kill(threading.get_ident(), TERM)
    assert watch.supervise(server, 5000) == 0


def test_a_signal_that_came_before_the_server_is_not_lost(watch: SignalWatch, server: ScriptedServer) -> None:
    os.kill(os.getpid(), TERM)
    assert watch.supervise(server, 5000) == 0
    assert server.calls == ["drain 5000"]


def test_the_handlers_and_the_wakeup_fd_are_put_back() -> None:
    before = (signal.getsignal(TERM), signal.getsignal(INT))
    with SignalWatch():
        assert (signal.getsignal(TERM), signal.getsignal(INT)) != before
    assert (signal.getsignal(TERM), signal.getsignal(INT)) == before
    wakeup_fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup_fd)
    assert wakeup_fd == -1
