"""A request as a process: it can be sent messages, monitored, linked, listed and killed while its handler runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Router
from tinybeam.process import (
    GenServer,
    Visitor,
    bonds,
    exit,
    link,
    monitor,
    receive,
    self_ref,
)

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Serving

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


def telling_app(blocking: bool | None) -> Router:
    """Its handlers tell the test who they are, and then do as the path says."""
    router = Router()
    test = self_ref()

    @router.get("/receive", blocking=blocking)
    def wait(request: Any) -> str:
        test.send(self_ref())
        return f"was sent {receive(PATIENCE_S)}"

    @router.get("/crash", blocking=blocking)
    def crash(request: Any) -> str:
        test.send(self_ref())
        receive(PATIENCE_S)
        raise ValueError("scripted")

    @router.get("/link/{trap}", blocking=blocking)
    def tied(request: Any, trap: str) -> str:
        process = self_ref()._process
        process.trap_exit = trap == "trap"
        link(Fragile.start())
        test.send(self_ref())
        return f"was sent {type(receive(PATIENCE_S)).__name__}"

    @router.get("/name", blocking=blocking)
    def name(request: Any) -> str:
        first = self_ref()
        assert self_ref() is first
        test.send(first)
        return str(first._process.label)

    @router.get("/plain")
    def plain(request: Any) -> str:
        return "plain"

    return router


class Fragile(GenServer):
    def init(self) -> Any:
        self_ref().cast("crash")

    def handle_cast(self, message: Any, state: Any) -> Any:
        raise ValueError(message)


@pytest.fixture(params=[False, None, True], ids=["in a runner", "by default", "in the pool"])
def url(request: pytest.FixtureRequest, serving: Serving) -> str:
    return serving(telling_app(request.param)).url


def test_a_handler_is_sent_messages_by_others(url: str, connect: Connect) -> None:
    conn = connect(url)
    conn.get("/receive")
    receive(PATIENCE_S).send("hello")
    assert conn.reply().body == b"was sent hello"


def test_each_request_is_a_process_of_its_own_that_ends_with_it(url: str, connect: Connect) -> None:
    conn = connect(url)
    refs = []
    for _ in range(3):
        conn.get("/name")
        assert conn.reply().body == b"GET /name"
        refs.append(receive(PATIENCE_S))
        conn.get("/plain")
        assert conn.reply().body == b"plain"
        assert not refs[-1].is_alive()
    assert len(set(refs)) == 3


@pytest.mark.parametrize("reason", ["kill", "shutdown", ("told", 1)])
def test_the_client_of_a_request_that_is_ended_is_told_503_at_once(
    reason: Any, url: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    conn = connect(url)
    conn.get("/receive")
    request = receive(PATIENCE_S)
    monitor(request)
    exit(request, reason)
    assert conn.reply().status == 503
    assert receive(PATIENCE_S).reason == ("killed" if reason == "kill" else reason)
    conn.get("/plain")
    assert conn.reply().body == b"plain"
    assert "was ended by another process" in caplog.text
    assert "crashed" not in caplog.text


def test_a_normal_exit_signal_ends_no_request(url: str, connect: Connect) -> None:
    conn = connect(url)
    conn.get("/receive")
    request = receive(PATIENCE_S)
    exit(request, "normal")
    request.send("still there")
    assert conn.reply().body == b"was sent still there"


def test_who_watches_a_request_is_told_how_it_ended(url: str, connect: Connect) -> None:
    conn = connect(url)
    for path, status, reason in (("/receive", 200, "normal"), ("/crash", 500, ValueError)):
        conn.get(path)
        request = receive(PATIENCE_S)
        monitor(request)
        request.send("go on")
        assert conn.reply().status == status
        down = receive(PATIENCE_S)
        assert down.process is request
        assert down.reason == reason or isinstance(down.reason, ValueError)


def test_a_request_that_is_linked_ends_with_the_other_one_or_is_told(url: str, connect: Connect) -> None:
    conn = connect(url)
    conn.get("/link/trap")
    receive(PATIENCE_S)
    assert conn.reply().body == b"was sent Exit"
    conn.get("/link/no")
    assert conn.reply().status == 503


def test_a_handler_that_never_looks_up_is_forgotten_when_it_is_killed(serving: Serving, connect: Connect) -> None:
    router = Router()
    test, let_go = self_ref(), threading.Event()

    @router.get("/stuck", blocking=True)
    def stuck(request: Any) -> str:
        test.send(self_ref())
        let_go.wait(PATIENCE_S)
        test.send("came back")
        return "too late"

    running = serving(router)
    conn = connect(running.url)
    conn.get("/stuck")
    exit(receive(PATIENCE_S), "kill")
    reply = conn.reply()
    assert reply.status == 503
    let_go.set()
    assert receive(PATIENCE_S) == "came back"
    running.stop()
    assert conn.rest() == b""


def test_the_requests_that_run_are_listed_and_can_be_killed_by_the_list(serving: Serving, connect: Connect) -> None:
    router = Router()
    test, let_go = self_ref(), threading.Event()

    @router.get("/one/{n:int}", blocking=True)
    def one(request: Any, n: int) -> str:
        test.send("begun")
        let_go.wait(PATIENCE_S)
        return "done"

    @router.get("/other", blocking=False)
    def other(request: Any) -> str:
        test.send("begun")
        let_go.wait(PATIENCE_S)
        return "done"

    running = serving(router)
    conns = {path: connect(running.url) for path in ("/one/1", "/one/2", "/other")}
    for path, conn in conns.items():
        conn.get(path)
    for _ in conns:
        receive(PATIENCE_S)
    rows = running.requests()
    assert sorted((row.method, row.path) for row in rows) == [("GET", path) for path in sorted(conns)]
    assert all(row.route.startswith("GET /o") and int(row.id, 16) for row in rows)
    assert {row.ref for row in running.requests()} == {row.ref for row in rows}
    for row in rows:
        exit(row.ref, "kill")
    assert [conn.reply().status for conn in conns.values()] == [503, 503, 503]
    let_go.set()


def test_a_request_that_nobody_asks_for_is_no_process(serving: Serving, connect: Connect) -> None:
    router = Router()
    found: list[Any] = []

    @router.get("/")
    def index(request: Any) -> str:
        found.extend(process for process in bonds.processes if isinstance(process, Visitor))
        return "yay"

    running = serving(router)
    conn = connect(running.url)
    conn.get("/")
    assert conn.reply().body == b"yay"
    assert found == []
    assert running.requests() == []
