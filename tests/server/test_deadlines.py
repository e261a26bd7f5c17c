"""The request deadline as an application sees it: the 504, the report, and what becomes of the late answer."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router
from tinybeam.errors import HTTPError
from tinybeam.server import RunningServer

if TYPE_CHECKING:
    from tests.conftest import Gate, RawConn

    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]
    Until = Callable[[Callable[[], bool]], None]

# Asks for /stuck, and only lets the handler go on when it has read a whole answer and the end of the connection.
CLIENT = """
import os, socket, sys
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=25)
sock.sendall(b"GET /stuck HTTP/1.1\\r\\nHost: t\\r\\n\\r\\n")
received = b""
try:
    while octets := sock.recv(65536):
        received += octets
finally:
    os.write(int(sys.argv[2]), b"x")
print(received.decode())
"""


@pytest.fixture
def stuck(gate: Gate) -> Router:
    """An app with a handler that waits at the gate, by several ways."""
    router = Router()

    @router.get("/quick")
    def quick(request: Request) -> str:
        return "quick"

    @router.get("/stuck")
    def wait_here(request: Request) -> str:
        gate.wait()
        return "late"

    router.get("/own", request_timeout_ms=50)(wait_here)
    router.get("/ever", request_timeout_ms=None)(wait_here)
    router.get("/pooled", blocking=True, request_timeout_ms=100)(wait_here)
    return router


def reports(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "is overdue" in record.getMessage()]


@pytest.mark.parametrize("path", ["/own", "/pooled"])
def test_a_handler_that_overruns_is_answered_for_and_its_own_answer_refused(
    stuck: Router,
    path: str,
    gate: Gate,
    serving: Serving,
    connect: Connect,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serving(stuck)
    conn = connect(server.url)
    conn.get(path)
    reply = conn.reply()
    assert (reply.status, reply.headers["connection"]) == (504, "close")
    assert conn.rest() == b""
    until(lambda: bool(reports(caplog)))
    gate.open()
    until(lambda: server.stats()["answers_refused"] == 1)
    stats = server.stats()
    assert (stats["requests_overdue"], stats["handles_open"]) == (1, 0)
    other = connect(server.url)
    other.get("/quick")
    assert other.reply().body == b"quick"


@pytest.mark.parametrize("path", ["/own", "/pooled"])
def test_the_report_names_the_route_the_age_and_where_the_handler_is(
    stuck: Router, path: str, serving: Serving, connect: Connect, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    conn = connect(serving(stuck).url)
    conn.get(path)
    assert conn.reply().status == 504
    until(lambda: bool(reports(caplog)))
    [record] = [record for record in caplog.records if "is overdue" in record.getMessage()]
    assert record.levelno == logging.ERROR
    message = record.getMessage()
    assert re.fullmatch(
        rf"request [0-9a-f]+ is overdue: GET {path} in GET {path} \(.*test_deadlines\.py:\d+\) after \d+\.\d s; "
        r"the client was told 504, and its own answer will be refused; it is at",
        message,
    ), message
    assert record.stack_info is not None
    assert "in wait_here" in record.stack_info
    assert "gate.wait()" in record.stack_info
    assert "runner.py" not in record.stack_info, "how we got there is nobody's business"


def test_a_route_may_be_without_a_deadline(stuck: Router, gate: Gate, serving: Serving, connect: Connect) -> None:
    server = serving(stuck, request_timeout_ms=1)
    ever, own = connect(server.url), connect(server.url)
    ever.get("/ever")
    gate.reached()
    own.get("/own")
    assert own.reply().status == 504
    gate.open()
    assert ever.reply().body == b"late"


def test_the_servers_own_deadline_holds_for_every_other_route(
    stuck: Router, serving: Serving, connect: Connect
) -> None:
    conn = connect(serving(stuck, request_timeout_ms=1).url)
    conn.get("/stuck")
    assert conn.reply().status == 504


def test_a_request_that_waits_for_a_thread_is_not_run_once_it_is_overdue(
    gate: Gate, serving: Serving, connect: Connect, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()
    ran: list[str] = []

    @router.get("/{name}", blocking=True)
    def work(request: Request, name: str) -> str:
        ran.append(name)
        gate.wait()
        return name

    server = serving(router, threads=1, request_timeout_ms=50)
    first, second = connect(server.url), connect(server.url)
    first.get("/first")
    gate.reached()
    second.get("/second")
    assert (first.reply().status, second.reply().status) == (504, 504)
    until(lambda: len(reports(caplog)) == 2)
    assert any("will not be run: all 1 threads" in message for message in reports(caplog))
    gate.open()
    until(lambda: server.stats()["answers_refused"] == 1)
    assert ran == ["first"]


@pytest.mark.native_only("without the GIL no Python runs, the portable engine included")
@pytest.mark.skipif(sys.platform != "linux", reason="read(2) is taken from the C library by its Linux name")
def test_the_504_comes_while_the_handler_holds_the_gil(
    serving: Serving, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    import ctypes

    letting_go, release = os.pipe()
    router = Router()
    # PyDLL calls without giving the GIL away: until the octet comes, no Python runs in this process at all.
    read = ctypes.PyDLL(None).read
    buffer = ctypes.create_string_buffer(1)

    @router.get("/stuck")
    def hold(request: Request) -> str:
        read(letting_go, buffer, 1)
        return "late"

    server = serving(router, request_timeout_ms=100)
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(server.port), str(release)],
        pass_fds=[release],
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        received, _ = client.communicate()
    os.close(letting_go)
    os.close(release)
    assert received.startswith("HTTP/1.1 504 Gateway Timeout\n")
    assert "the request has taken too long" in received
    until(lambda: bool(reports(caplog)))
    assert reports(caplog)[0].startswith("request ")
    until(lambda: server.stats()["answers_refused"] == 1)


def test_a_log_that_raises_costs_an_overdue_report_and_nothing_else(
    stuck: Router, serving: Serving, connect: Connect, until: Until
) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        raise RuntimeError("no log today")

    server = serving(stuck)
    crash = logging.getLogger("tinybeam.crash")
    crash.addFilter(refuse)
    try:
        for _ in range(3):
            conn = connect(server.url)
            conn.get("/own")
            assert conn.reply().status == 504
            conn = connect(server.url)
            conn.get("/quick")
            assert conn.reply().body == b"quick"
    finally:
        crash.removeFilter(refuse)


@pytest.fixture
def limited() -> Router:
    """Routes with limits of their own, and a guard that asks for a password."""
    router = Router()

    def may_pass(request: Request) -> bool:
        if request.headers.get("authorization") != "Bearer ok":
            raise HTTPError(401, "who are you?")
        return True

    @router.post("/small", body_bytes_max=10)
    def small(request: Request) -> str:
        return f"{len(request.body)}"

    @router.post("/large", body_bytes_max=200_000)
    def large(request: Request) -> str:
        return f"{len(request.body)}"

    @router.post("/any", body_bytes_max=None)
    def any_size(request: Request) -> str:
        return f"{len(request.body)}"

    @router.post("/default")
    def default(request: Request) -> str:
        return f"{len(request.body)} {dict(request.trailers)} {request.offered}"

    @router.post("/guarded", when=may_pass)
    def guarded(request: Request) -> str:
        return "in"

    return router


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/small", 10, 200),
        ("/small", 11, 413),
        ("/default", 100_000, 200),
        ("/default", 100_001, 413),
        ("/large", 200_000, 200),
        ("/large", 200_001, 413),
        ("/any", 1_000_000, 200),
        ("/nowhere", 100_001, 404),
    ],
)
@pytest.mark.parametrize("framing", ["length", "chunked", "expect"])
def test_each_route_has_its_limit(
    limited: Router, path: str, length: int, status: int, framing: str, serving: Serving, connect: Connect
) -> None:
    conn = connect(serving(limited, body_bytes_max=100_000).url)
    head = f"POST {path} HTTP/1.1\r\nHost: t\r\n"
    body = b"x" * length
    if framing == "chunked":
        conn.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        conn.send_unless_closed(b"%x\r\n%b\r\n0\r\n\r\n" % (length, body))
    elif framing == "length":
        conn.send(f"{head}Content-Length: {length}\r\n\r\n".encode())
        conn.send_unless_closed(body)
    else:
        conn.send(f"{head}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n".encode())
        interim = conn.reply()
        assert interim.status == (100 if status == 200 else status)
        if status != 200:
            return
        conn.send(body)
    reply = conn.reply()
    assert reply.status == status
    assert status != 200 or reply.body.split()[0] == str(length).encode()


def test_a_guard_is_asked_before_the_body_is_sent(limited: Router, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(limited).url)
    conn.send(b"POST /guarded HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    reply = conn.reply()
    assert (reply.status, reply.body) == (401, b"who are you?")
    conn = connect(serving(limited).url)
    conn.send(
        b"POST /guarded HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
        b"Authorization: Bearer ok\r\n\r\n"
    )
    assert conn.reply().status == 100
    conn.send(b"hello")
    assert conn.reply().body == b"in"


def test_trailers_are_handed_over_apart_from_the_headers(limited: Router, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(limited).url)
    conn.send(b"POST /default HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
    conn.send(b"2\r\nhi\r\n0\r\nDigest:  abc \r\nHost: other\r\n\r\n")
    assert conn.reply().body == b"2 {'digest': 'abc', 'host': 'other'} False"


def test_the_access_log_has_one_line_for_a_request_that_was_offered(
    limited: Router, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture, until: Until
) -> None:
    caplog.set_level(logging.INFO, "tinybeam.access")
    conn = connect(serving(limited, access_log=True).url)
    conn.send(b"POST /small HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    assert conn.reply().status == 100
    conn.send(b"abc")
    assert conn.reply().body == b"3"
    lines = [record.getMessage() for record in caplog.records if record.name == "tinybeam.access"]
    assert len(lines) == 1
    assert '"POST /small" 200 1 ' in lines[0]
