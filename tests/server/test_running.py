"""A running server: where it listens, how it drains and stops, and what it leaves behind."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router
from tinybeam.config import Config
from tinybeam.errors import ConfigError
from tinybeam.server import RunningServer, serve

if TYPE_CHECKING:
    from tests.conftest import Gate, RawConn

    Gates = Callable[[], Gate]
    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]
    Until = Callable[[Callable[[], object]], None]

pytestmark = pytest.mark.usefixtures("no_faults")


def make_app(text: str = "pong") -> Router:
    router = Router()
    router.get("/")(lambda request: text)
    return router


def waiting_app(gate: Gate) -> Router:
    router = make_app()

    @router.get("/wait")
    def wait(request: Request) -> str:
        gate.wait()
        return "done"

    return router


def served(conn: RawConn) -> bytes:
    conn.get("/")
    return conn.reply().body


def refuses(url: str) -> bool:
    """Whether nobody listens there any more."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False  # it was closed in just this moment
    return False


class Drain:
    """A drain in a thread of its own."""

    def __init__(self, running: RunningServer, timeout_ms: int) -> None:
        self._thread = threading.Thread(target=self._run, args=(running, timeout_ms))
        self._thread.start()

    def _run(self, running: RunningServer, timeout_ms: int) -> None:
        self.finished = running.drain(timeout_ms)

    def result(self) -> bool:
        self._thread.join()
        return self.finished


# Where it listens.


def test_port_0_is_a_free_port_that_it_tells(serving: Serving, connect: Connect) -> None:
    running = serving(make_app())
    assert running.port
    assert running.url == f"http://127.0.0.1:{running.port}"
    assert served(connect(running.url)) == b"pong"


def test_an_ipv6_address_stands_in_brackets(serving: Serving, connect: Connect) -> None:
    try:
        running = serving(make_app(), host="::1")
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    assert running.url == f"http://[::1]:{running.port}"
    assert served(connect(running.url)) == b"pong"


def test_a_host_by_its_name(serving: Serving, connect: Connect) -> None:
    running = serving(make_app(), host="localhost")
    assert running.url == f"http://localhost:{running.port}"
    assert served(connect(running.url)) == b"pong"


def test_a_port_that_is_taken_is_an_os_error(serving: Serving) -> None:
    running = serving(make_app())
    with pytest.raises(OSError, match="in use") as caught:
        serving(make_app(), port=running.port)
    assert caught.value.errno == errno.EADDRINUSE


def test_the_port_is_free_again_at_once(serving: Serving, connect: Connect) -> None:
    running = serving(make_app())
    conn = connect(running.url)
    assert served(conn) == b"pong"
    running.stop()
    again = serving(make_app("again"), port=running.port)
    assert served(connect(again.url)) == b"again"


def test_a_unix_socket_is_there_while_it_serves(serving: Serving, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    running = serving(make_app(), uds=str(path))
    assert running.url == f"unix:{path}"
    assert running.port is None
    assert served(connect(running.url)) == b"pong"
    running.stop()
    assert not path.exists()


def test_a_drain_removes_the_unix_socket_too(serving: Serving, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    assert serving(make_app(), uds=str(path)).drain(10_000)
    assert not path.exists()


def test_a_dead_socket_file_is_replaced(serving: Serving, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    assert served(connect(serving(make_app(), uds=str(path)).url)) == b"pong"


def test_a_live_socket_is_refused_and_lives_on(serving: Serving, connect: Connect, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    running = serving(make_app(), uds=path)
    with pytest.raises(OSError, match="in use"):
        serving(make_app(), uds=path)
    assert served(connect(running.url)) == b"pong"


def test_an_ordinary_file_is_refused_and_untouched(serving: Serving, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(OSError, match="in use"):
        serving(make_app(), uds=str(path))
    assert path.read_text() == "data"


# What cannot be served.


def test_what_is_no_app_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="give a Router"):
        serve(object(), Config(port=0))  # type: ignore[arg-type]


def test_the_portable_engine_is_honest_about_itself() -> None:
    with pytest.raises(ConfigError, match="not built yet"):
        serve(make_app(), Config(port=0, engine="portable"))


def test_a_library_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    program = "from tinybeam import Router; from tinybeam.server import serve; serve(Router())"
    missing = str(tmp_path / "nowhere.so")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TINYBEAM_LIBRARY": missing},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("tinybeam.errors.NativeError: ")
    assert missing in last
    assert "mix_like_tasks.py compile" in last


# Draining.


def test_a_drain_with_nothing_open_is_done_at_once(serving: Serving) -> None:
    running = serving(make_app())
    assert running.drain(10_000)
    assert not running.ref.is_alive()


def test_a_drain_finishes_open_requests_and_refuses_new_connections(
    serving: Serving, connect: Connect, gate: Gate, until: Until
) -> None:
    running = serving(waiting_app(gate))
    conn = connect(running.url)
    conn.get("/wait")
    gate.reached()
    drain = Drain(running, 30_000)
    until(lambda: refuses(running.url))
    gate.open()
    reply = conn.reply()
    assert (reply.body, reply.headers["connection"]) == (b"done", "close")
    assert conn.rest() == b""
    assert drain.result()


def test_a_drain_finishes_every_request_of_a_pipeline(
    serving: Serving, connect: Connect, gate: Gate, until: Until
) -> None:
    running = serving(waiting_app(gate))
    conn = connect(running.url)
    conn.send(b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: t\r\n\r\n" * 3)
    gate.reached()
    drain = Drain(running, 30_000)
    until(lambda: refuses(running.url))
    gate.open()
    assert [conn.reply().body for _ in range(4)] == [b"done", b"pong", b"pong", b"pong"]
    assert conn.rest() == b""
    assert drain.result()


def test_a_drain_finishes_what_runs_in_the_pool(serving: Serving, connect: Connect, gate: Gate, until: Until) -> None:
    router = make_app()

    @router.get("/pooled", blocking=True)
    def pooled(request: Request) -> str:
        gate.wait()
        return "done"

    running = serving(router)
    conn = connect(running.url)
    conn.get("/pooled")
    gate.reached()
    drain = Drain(running, 30_000)
    until(lambda: refuses(running.url))
    gate.open()
    assert conn.reply().body == b"done"
    assert drain.result()


def test_a_drain_closes_idle_connections(serving: Serving, connect: Connect) -> None:
    running = serving(make_app())
    fresh, used = connect(running.url), connect(running.url)
    assert served(used) == b"pong"
    drain = Drain(running, 30_000)
    assert (fresh.rest(), used.rest()) == (b"", b"")
    assert drain.result()


def test_a_drain_waits_for_a_body_that_is_on_its_way(serving: Serving, connect: Connect, until: Until) -> None:
    router = make_app()
    router.post("/")(lambda request: request.body)
    running = serving(router)
    conn = connect(running.url)
    conn.send(b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert conn.reply().status == 100
    drain = Drain(running, 30_000)
    until(lambda: refuses(running.url))
    conn.send(b"body")
    assert conn.reply().body == b"body"
    assert drain.result()


def test_a_drain_that_takes_too_long_cuts_what_is_open_and_says_so(
    serving: Serving, connect: Connect, gate: Gate
) -> None:
    running = serving(waiting_app(gate))
    conn = connect(running.url)
    conn.get("/wait")
    gate.reached()
    assert running.drain(1) is False
    assert not running.ref.is_alive()
    assert conn.rest() == b""


def test_a_drain_after_a_stop_returns_at_once(serving: Serving) -> None:
    running = serving(make_app())
    running.stop()
    assert running.drain(10_000) is False


def test_a_second_drain_says_what_the_first_one_did(serving: Serving) -> None:
    running = serving(make_app())
    assert running.drain(10_000)
    assert running.drain(10_000)


def test_a_stop_ends_a_drain(serving: Serving, connect: Connect, gate: Gate, until: Until) -> None:
    running = serving(waiting_app(gate))
    connect(running.url).get("/wait")
    gate.reached()
    drain = Drain(running, 86_400_000)
    until(lambda: refuses(running.url))
    running.stop()
    assert drain.result() is False


# Stopping.


def test_a_stop_closes_connections_and_the_listener(serving: Serving, connect: Connect) -> None:
    running = serving(make_app())
    conn = connect(running.url)
    assert served(conn) == b"pong"
    running.stop()
    assert conn.rest() == b""
    assert refuses(running.url)


def test_a_second_stop_does_nothing(serving: Serving) -> None:
    running = serving(make_app())
    running.stop()
    running.stop()


def test_stops_from_many_threads_at_once_are_one_stop(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        running = serving(make_app())
        start = threading.Barrier(8)

        def stop(running: RunningServer = running, start: threading.Barrier = start) -> None:
            start.wait()
            running.stop()
            assert not running.ref.is_alive()

        threads = [threading.Thread(target=stop) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        running.wait()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


def test_a_stop_needs_no_runner_though_all_of_them_are_blocked(serving: Serving, connect: Connect, gate: Gate) -> None:
    router = make_app()

    @router.get("/{n:int}", blocking=False)
    def block(request: Request, n: int) -> str:
        gate.wait()
        return "done"

    running = serving(router, threads=2)
    conns = [connect(running.url) for _ in range(3)]
    for n, conn in enumerate(conns):
        conn.get(f"/{n}")
    gate.reached(3)
    running.stop()
    assert not gate.is_open
    assert not running.ref.is_alive()


def test_a_handler_may_stop_its_own_server(serving: Serving, connect: Connect) -> None:
    router = make_app()

    @router.get("/stop")
    def stop(request: Request) -> str:
        running.stop()
        return "stopped"

    running = serving(router)
    conn = connect(running.url)
    conn.get("/stop")
    running.wait()
    assert conn.rest() == b""
    assert not running.ref.is_alive()


def test_a_handler_may_drain_its_own_server(serving: Serving, connect: Connect) -> None:
    """It waits for itself, in vain; so its time runs out."""
    finished: list[bool] = []
    router = make_app()

    @router.get("/drain")
    def drain(request: Request) -> str:
        finished.append(running.drain(50))
        return "never sent"

    running = serving(router)
    connect(running.url).get("/drain")
    running.wait()
    assert finished in ([], [False])


def test_stop_and_answers_race_without_a_word(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests, takeovers and a stop at the same time: no fault, no error, no hang."""
    for _ in range(30):
        router = make_app()
        router.get("/slow", blocking=False)(lambda request: threading.Event().wait(0.002) or "slow")
        router.get("/pooled", blocking=True)(lambda request: "pooled")
        running = serving(router)
        conns = [connect(running.url) for _ in range(6)]
        for conn in conns:
            conn.send(b"".join(b"GET /%s HTTP/1.1\r\nHost: t\r\n\r\n" % path for path in (b"slow", b"pooled", b"")))
        running.stop()
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


# Waiting, and what can be asked.


def test_wait_returns_when_it_has_stopped(serving: Serving) -> None:
    running = serving(make_app())
    waiting = threading.Event()
    returned: list[bool] = []

    def wait() -> None:
        waiting.set()
        running.wait()
        returned.append(running.ref.is_alive())

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    running.stop()
    thread.join()
    assert returned == [False]
    running.wait()


def test_stats_count_and_stay_readable_after_the_stop(serving: Serving, connect: Connect) -> None:
    running = serving(make_app())
    conn = connect(running.url)
    for _ in range(3):
        assert served(conn) == b"pong"
    assert (running.stats()["requests"], running.stats()["connections_open"]) == (3, 1)
    running.stop()
    assert running.stats()["requests"] == 3


def test_stats_may_be_read_while_it_stops(serving: Serving) -> None:
    for _ in range(30):
        running = serving(make_app())
        reading = threading.Event()
        failed: list[BaseException] = []

        def read(
            running: RunningServer = running,
            reading: threading.Event = reading,
            failed: list[BaseException] = failed,
        ) -> None:
            try:
                while running.ref.is_alive():
                    running.stats()
                    reading.set()
                running.stats()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        reading.wait(30)
        running.stop()
        thread.join()
        assert failed == []


# More than one.


def test_two_servers_live_in_one_process(serving: Serving, connect: Connect) -> None:
    one, two = serving(make_app("one")), serving(make_app("two"))
    first, second = connect(one.url), connect(two.url)
    for _ in range(3):
        assert (served(first), served(second)) == (b"one", b"two")
    one.stop()
    assert served(second) == b"two"


def test_one_router_may_be_served_twice(serving: Serving, connect: Connect, gate: Gate) -> None:
    app = waiting_app(gate)
    one, two = serving(app), serving(app)
    first, second = connect(one.url), connect(two.url)
    first.get("/wait")
    gate.reached()
    assert served(second) == b"pong"
    gate.open()
    assert first.reply().body == b"done"


def test_a_handler_may_start_a_server(serving: Serving, connect: Connect) -> None:
    router = make_app("outer")
    started: list[RunningServer] = []

    @router.get("/start")
    def start(request: Request) -> str:
        started.append(serving(make_app("inner")))
        return started[0].url

    outer = serving(router)
    conn = connect(outer.url)
    conn.get("/start")
    inner = connect(conn.reply().body.decode())
    assert (served(inner), served(conn)) == (b"inner", b"outer")
    outer.stop()
    assert served(inner) == b"inner"
