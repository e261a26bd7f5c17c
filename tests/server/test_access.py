"""The access log: the form of a line, and that a log that fails costs nobody an answer."""

from __future__ import annotations

import logging
import re
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tinybeam import HTTPError, Request, Router
from tinybeam.http import Answer
from tinybeam.server import RunningServer
from tinybeam.server.access import log_request

if TYPE_CHECKING:
    from tests.conftest import RawConn

    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]

LOG = logging.getLogger("tinybeam.access")
IPV4 = struct.pack("!H4B", 49152, 127, 0, 0, 1)
IPV6 = struct.pack("!H", 49152) + socket.inet_pton(socket.AF_INET6, "::1")
FORM = re.compile(r'\S+ "[A-Z]+ \S+" \d{3} \d+ \d+\.\d{3}ms')


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, LOG.name)
    return lambda: [record.getMessage() for record in caplog.records if record.name == LOG.name]


def request(path: str = "/users/42", query: str | None = None, peer: bytes = IPV4, method: str = "GET") -> Request:
    return Request(7, method, path, query, peer_raw=peer)


@pytest.mark.parametrize(
    ("one", "answer", "line"),
    [
        (request(), (7, 1, "hello there"), '127.0.0.1:49152 "GET /users/42" 200 11 0.043ms'),
        (request("/", "a=1"), (7, 404, b"", b"no"), '127.0.0.1:49152 "GET /?a=1" 404 2 0.043ms'),
        (request("/", peer=IPV6), (7, 204, b"", None), '[::1]:49152 "GET /" 204 0 0.043ms'),
        (request("/", peer=b""), (7, 1, "J\xfcrgen"), 'unix "GET /" 200 7 0.043ms'),
        (request('/"\\', method="PURGE"), (7, 1, ""), '127.0.0.1:49152 "PURGE /\\"\\\\" 200 0 0.043ms'),
    ],
)
def test_a_line_says_who_asked_for_what_and_got_what(
    one: Request, answer: Answer, line: str, lines: Callable[[], list[str]]
) -> None:
    log_request(one, answer, 0.0000431)
    assert lines() == [line]


@pytest.fixture
def raising() -> Iterator[Callable[[BaseException], None]]:
    """Makes the access log raise, until the test ends."""
    added: list[Callable[[logging.LogRecord], bool]] = []

    def add(error: BaseException) -> None:
        def refuse(record: logging.LogRecord) -> bool:
            raise error

        added.append(refuse)
        LOG.addFilter(refuse)

    yield add
    for one in added:
        LOG.removeFilter(one)


def make_app() -> Router:
    router = Router()
    router.get("/")(lambda request: "pong")
    router.get("/pooled", blocking=True)(lambda request: "pooled")

    @router.get("/crash")
    def crash(request: Request) -> str:
        raise SystemExit

    @router.get("/refuse")
    def refuse(request: Request) -> str:
        raise HTTPError(403)

    return router


def test_each_answered_request_has_a_line(serving: Serving, connect: Connect, lines: Callable[[], list[str]]) -> None:
    conn = connect(serving(make_app(), access_log=True).url)
    for path in ("/", "/crash", "/refuse", "/none"):
        conn.get(path)
        conn.reply()
    assert [" ".join(line.split()[1:4]) for line in lines()] == [
        '"GET /" 200',
        '"GET /crash" 500',
        '"GET /refuse" 403',
        '"GET /none" 404',
    ]
    assert all(FORM.fullmatch(line) for line in lines())


def test_the_peer_of_a_unix_socket_has_no_address(
    serving: Serving, connect: Connect, lines: Callable[[], list[str]], tmp_path: Path
) -> None:
    conn = connect(serving(make_app(), access_log=True, uds=str(tmp_path / "s")).url)
    conn.get("/")
    conn.reply()
    assert lines()[0].startswith('unix "GET /" 200 4 ')


def test_it_is_off_unless_asked_for(serving: Serving, connect: Connect, lines: Callable[[], list[str]]) -> None:
    conn = connect(serving(make_app()).url)
    conn.get("/")
    conn.reply()
    assert lines() == []


@pytest.mark.usefixtures("no_faults")
@pytest.mark.parametrize("error", [ValueError("bad filter"), SystemExit(1)])
@pytest.mark.parametrize("path", ["/", "/pooled"])
def test_a_log_that_raises_costs_nobody_an_answer(
    path: str,
    error: BaseException,
    serving: Serving,
    connect: Connect,
    raising: Callable[[BaseException], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, LOG.name)
    raising(error)
    running = serving(make_app(), access_log=True, threads=1)
    conn = connect(running.url)
    for _ in range(8):
        conn.get(path)
        assert conn.reply().status == 200
    assert running.ref.is_alive()
    assert "the access log failed" in caplog.text
