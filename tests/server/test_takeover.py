"""Takeover: while one handler blocks, in whatever way, the others go on; and no answer is lost or doubled.

Each blocked handler waits for something that the test does only after another request was answered. So without a
takeover these tests fail, whatever the machine's pace.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, Gates, Served, Serving, Until, WaitingApp

pytestmark = pytest.mark.usefixtures("no_faults")


def pong(request: Request) -> str:
    return "pong"


class InterpreterSpin:
    """Spins in pure Python, holding the GIL but for the interpreter's own switches."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = False

    def block(self) -> None:
        self.entered.set()
        while not self.release:
            pass

    def free(self) -> None:
        self.release = True


class EventWait:
    """Waits as `time.sleep` does: inside the interpreter, without the GIL."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.event = threading.Event()

    def block(self) -> None:
        self.entered.set()
        self.event.wait()

    def free(self) -> None:
        self.event.set()


class PipeRead:
    """Blocks in a system call without the GIL."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.reader, self.writer = os.pipe()

    def block(self) -> None:
        self.entered.set()
        os.read(self.reader, 1)
        os.close(self.reader)

    def free(self) -> None:
        os.write(self.writer, b".")
        os.close(self.writer)


class LockAcquire:
    """Blocks in C on a lock."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.lock = threading.Lock()
        self.lock.acquire()

    def block(self) -> None:
        self.entered.set()
        self.lock.acquire()

    def free(self) -> None:
        self.lock.release()


Block = InterpreterSpin | EventWait | PipeRead | LockAcquire


@pytest.mark.parametrize("kind", [InterpreterSpin, EventWait, PipeRead, LockAcquire])
def test_others_are_answered_while_a_handler_blocks(kind: type[Block], serving: Serving, connect: Connect) -> None:
    block = kind()
    router = Router()
    router.get("/")(pong)

    @router.get("/blocked")
    def blocked(request: Request) -> str:
        block.block()
        return "freed"

    running = serving(router)
    slow, quick = connect(running.url), connect(running.url)
    slow.get("/blocked")
    assert block.entered.wait(30)
    try:
        for _ in range(20):
            quick.get("/")
            assert quick.reply().body == b"pong"
    finally:
        block.free()
    assert slow.reply().body == b"freed"
    assert running.stats()["takeovers"] >= 1


def test_the_rest_of_a_batch_runs_while_one_of_its_handlers_blocks(
    gate: Gate, gates: Gates, serving: Serving, connect: Connect
) -> None:
    """The handler that blocks is in the middle of one connection's pipeline, so all are in one batch."""
    router = Router()
    ran: list[int] = []
    done = gates()

    @router.get("/{n:int}")
    def number(request: Request, n: int) -> str:
        if n == 3:
            gate.wait()
        ran.append(n)
        if n == 7:
            done._reached.release()
        return str(n)

    conn = connect(serving(router).url)
    conn.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: t\r\n\r\n" % n for n in range(8)))
    gate.reached()
    done.reached()
    assert ran == [0, 1, 2, 4, 5, 6, 7]
    gate.open()
    assert [conn.reply().body for _ in range(8)] == [b"%d" % n for n in range(8)]


def test_answers_that_were_ready_are_sent_while_a_later_handler_of_the_batch_blocks(
    gate: Gate, serving: Serving, connect: Connect, waiting_app: WaitingApp
) -> None:
    conn = connect(serving(waiting_app(gate)).url)
    conn.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\nGET /wait HTTP/1.1\r\nHost: t\r\n\r\n")
    gate.reached()
    assert conn.reply().body == b"pong"
    gate.open()
    assert conn.reply().body == b"done"


@pytest.mark.parametrize("routes", [2, 20, 60])
def test_as_many_routes_may_block_at_once_as_there_may_be_threads(
    routes: int, gate: Gate, serving: Serving, connect: Connect
) -> None:
    """Each of them for the first time, so that none of them is known to block."""
    router = Router()
    router.get("/")(pong)

    def blocked(request: Request) -> str:
        gate.wait()
        return "freed"

    for n in range(routes):
        router.get(f"/{n}")(blocked)
    running = serving(router, threads=64)
    slow = [connect(running.url) for _ in range(routes)]
    for n, conn in enumerate(slow):
        conn.get(f"/{n}")
    gate.reached(routes)
    quick = connect(running.url)
    quick.get("/")
    assert quick.reply().body == b"pong"
    gate.open()
    assert [conn.reply().body for conn in slow] == [b"freed"] * routes


def test_many_requests_of_one_route_block_at_once(
    gate: Gate, serving: Serving, connect: Connect, waiting_app: WaitingApp
) -> None:
    running = serving(waiting_app(gate))
    slow = [connect(running.url) for _ in range(64)]
    for conn in slow:
        conn.get("/wait")
    gate.reached(64)
    quick = connect(running.url)
    quick.get("/")
    assert quick.reply().body == b"pong"
    gate.open()
    assert [conn.reply().body for conn in slow] == [b"done"] * 64


def test_a_guard_may_block_too(gate: Gate, serving: Serving, connect: Connect) -> None:
    router = Router()
    router.get("/")(pong)

    def patient() -> bool:
        gate.wait()
        return True

    @router.get("/guarded", when=patient)
    def guarded(request: Request) -> str:
        return "let in"

    running = serving(router)
    slow, quick = connect(running.url), connect(running.url)
    slow.get("/guarded")
    gate.reached()
    quick.get("/")
    assert quick.reply().body == b"pong"
    gate.open()
    assert slow.reply().body == b"let in"


def test_a_guard_that_blocks_is_no_evidence_against_the_route_that_ran_before_it(
    gates: Gates, serving: Serving, connect: Connect
) -> None:
    """Else the quick route would run in the pool at last."""
    router = Router()
    threads = []
    waits = [gates() for _ in range(4)]

    @router.get("/")
    def quick(request: Request) -> str:
        threads.append(threading.current_thread().name)
        return "quick"

    upcoming = iter(waits)

    def patient() -> bool:
        next(upcoming).wait()
        return True

    @router.get("/guarded", when=patient)
    def guarded(request: Request) -> str:
        return "let in"

    running = serving(router)
    conn, other = connect(running.url), connect(running.url)
    for wait in waits:
        conn.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\nGET /guarded HTTP/1.1\r\nHost: t\r\n\r\n")
        wait.reached()
        assert conn.reply().body == b"quick"
        other.get("/other")  # what is answered while the guard blocks was run by another runner
        assert other.reply().status == 404
        wait.open()
        assert conn.reply().body == b"let in"
    assert [name for name in threads if not name.startswith("tinybeam-runner")] == []


def test_a_handler_may_request_its_own_server(serving: Serving, connect: Connect) -> None:
    router = Router()
    router.get("/inner")(pong)

    @router.get("/outer")
    def outer(request: Request) -> bytes:
        inner = connect(running.url)
        inner.get("/inner")
        return b"inner said " + inner.reply().body

    running = serving(router)
    conn = connect(running.url)
    conn.get("/outer")
    assert conn.reply().body == b"inner said pong"


def test_a_handler_that_blocks_while_the_access_log_is_on_is_logged_once(
    gate: Gate, serving: Serving, connect: Connect, waiting_app: WaitingApp, caplog: pytest.LogCaptureFixture
) -> None:
    """Its successor takes the answers before it; the line must be of its own answer, and no fault."""
    caplog.set_level(logging.INFO, "tinybeam.access")
    conn = connect(serving(waiting_app(gate), access_log=True).url)
    conn.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\nGET /wait HTTP/1.1\r\nHost: t\r\n\r\n")
    gate.reached()
    assert conn.reply().body == b"pong"
    gate.open()
    assert conn.reply().body == b"done"
    lines = [record.getMessage() for record in caplog.records if record.name == "tinybeam.access"]
    assert sorted(line.split('"')[1] for line in lines) == ["GET /", "GET /wait"]


def test_a_client_that_leaves_a_blocked_handler_harms_nobody(
    gate: Gate, serving: Serving, connect: Connect, waiting_app: WaitingApp, served: Served, until: Until
) -> None:
    running = serving(waiting_app(gate))
    slow, quick = connect(running.url), connect(running.url)
    slow.get("/wait")
    gate.reached()
    assert served(quick) == b"pong"
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a farewell
    slow.close()
    until(lambda: running.stats()["connections_open"] == 1)
    gate.open()
    until(lambda: running.stats()["answers_late"] == 1)
    assert served(quick) == b"pong"


@pytest.mark.parametrize("busy", [2, 3], ids=["all but one", "all"])
def test_a_signal_is_noticed_while_the_runners_are_busy(
    busy: int, gate: Gate, serving: Serving, connect: Connect
) -> None:
    """One that reaches a busy runner wakes the main thread through the engine's wake-up descriptor.

    One that nobody is left to pass on reaches the main thread by itself, as signals to a process do.
    """
    router = Router()
    runners: list[int] = []

    @router.get("/{n:int}", blocking=False)
    def blocked(request: Request, n: int) -> str:
        runners.append(threading.get_ident())
        gate.wait()
        return "freed"

    running = serving(router, threads=2)
    for n in range(busy):
        connect(running.url).get(f"/{n}")
    gate.reached(busy)
    handled: list[int] = []

    def on_signal(number: int, frame: object) -> None:
        handled.append(number)
        threading.Thread(target=running.stop).start()

    def send() -> None:
        if busy == 2:
            signal.pthread_kill(runners[0], signal.SIGUSR1)
        else:
            os.kill(os.getpid(), signal.SIGUSR1)

    handler = signal.signal(signal.SIGUSR1, on_signal)
    wakeup_fd = signal.set_wakeup_fd(running.wakeup_fd)
    try:
        sender = threading.Thread(target=send)
        sender.start()
        running.wait()  # for ever, if the signal were not noticed
        sender.join()
    finally:
        signal.set_wakeup_fd(wakeup_fd)
        signal.signal(signal.SIGUSR1, handler)
    assert handled == [signal.SIGUSR1]
