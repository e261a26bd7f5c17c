"""A request whose handler is `async def` as a process: one thread, many processes, and no mix-up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Request, Router
from tinybeam.process import (
    GenServer,
    Visitor,
    bonds,
    exit,
    link,
    monitor,
    process_flag,
    receive,
    receive_async,
    self_ref,
)

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Serving

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("no_faults", "empty_mailbox")


class Fragile(GenServer):
    def init(self) -> Any:
        self_ref().cast("crash")

    def handle_cast(self, message: Any, state: Any) -> Any:
        raise ValueError(message)


def telling_app() -> Router:
    """Its handlers tell the test who they are, and then do as the path says."""
    router = Router()
    test = self_ref()

    @router.get("/receive")
    async def wait(request: Request) -> str:
        test.send(self_ref())
        return f"was sent {await receive_async(PATIENCE_S)}"

    @router.get("/crash")
    async def crash(request: Request) -> str:
        test.send(self_ref())
        await receive_async(PATIENCE_S)
        raise ValueError("scripted")

    @router.get("/link/{trap}")
    async def tied(request: Request, trap: str) -> str:
        process_flag("trap_exit", trap == "trap")
        link(Fragile.start())
        test.send(self_ref())
        return f"was sent {type(await receive_async(PATIENCE_S)).__name__}"

    @router.get("/sleep")
    async def sleep(request: Request) -> str:
        test.send("begun")
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            test.send("ended")
        return "never"

    @router.get("/blocking-receive")
    async def wrong(request: Request) -> str:
        receive(PATIENCE_S)
        return "never"

    @router.get("/plain")
    async def plain(request: Request) -> str:
        return "plain"

    return router


@pytest.fixture
def url(serving: Serving) -> str:
    return serving(telling_app()).url


def test_each_request_is_a_process_of_its_own_though_all_share_a_thread(url: str, connect: Connect) -> None:
    conns = [connect(url) for _ in range(5)]
    refs = []
    for conn in conns:
        conn.get("/receive")
        refs.append(receive(PATIENCE_S))
    assert len(set(refs)) == 5
    for number, ref in enumerate(refs):
        ref.send(number)
    assert [conn.reply().body for conn in conns] == [b"was sent %d" % number for number in range(5)]
    conns[0].get("/plain")
    assert conns[0].reply().body == b"plain"
    assert [ref.is_alive() for ref in refs] == [False] * 5


def test_tasks_and_callbacks_of_a_handler_are_the_same_process(serving: Serving, connect: Connect) -> None:
    router = Router()

    async def who() -> Any:
        await asyncio.sleep(0)
        return self_ref()

    @router.get("/")
    async def index(request: Request) -> str:
        from_callback = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: from_callback.set_result(self_ref()))
        refs = await asyncio.gather(who(), who(), from_callback)
        return str({*refs, self_ref()} == {self_ref()})

    url = serving(router).url
    conns = [connect(url) for _ in range(3)]
    for conn in conns:
        conn.get("/")
    assert [conn.reply().body for conn in conns] == [b"True"] * 3


def test_what_a_handler_leaves_behind_belongs_to_the_thread_when_its_request_is_over(
    serving: Serving, connect: Connect
) -> None:
    router = Router()
    test = self_ref()
    kept: list[Any] = []

    async def outlive(request: Any, over: asyncio.Event) -> None:
        await over.wait()
        while request.is_alive():
            await asyncio.sleep(0)
        test.send((self_ref() is self_ref(), self_ref() is request))

    @router.get("/")
    async def index(request: Request) -> str:
        over = asyncio.Event()
        kept.append(asyncio.create_task(outlive(self_ref(), over)))
        over.set()
        return "done"

    conn = connect(serving(router).url)
    conn.get("/")
    assert conn.reply().body == b"done"
    assert receive(PATIENCE_S) == (True, False)


@pytest.mark.parametrize("reason", ["kill", "shutdown"])
def test_the_client_of_one_that_is_ended_is_told_503_at_once_and_its_task_is_cancelled(
    reason: str, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    running = serving(telling_app())
    conn = connect(running.url)
    conn.get("/sleep")
    assert receive(PATIENCE_S) == "begun"
    [row] = running.requests()
    assert (row.method, row.path, row.route.split(" (")[0]) == ("GET", "/sleep", "GET /sleep")
    monitor(row.ref)
    exit(row.ref, reason)
    assert conn.reply().status == 503
    told = [receive(PATIENCE_S), receive(PATIENCE_S)]
    assert "ended" in told
    [down] = [one for one in told if one != "ended"]
    assert down.reason == ("killed" if reason == "kill" else reason)
    conn.get("/plain")
    assert conn.reply().body == b"plain"
    assert "was ended by another process" in caplog.text
    assert "crashed" not in caplog.text
    assert running.requests() == []


def test_who_watches_one_is_told_how_it_ended(url: str, connect: Connect) -> None:
    conn = connect(url)
    for path, status, reason in (("/receive", 200, "normal"), ("/crash", 500, ValueError)):
        conn.get(path)
        request = receive(PATIENCE_S)
        monitor(request)
        request.send("go on")
        assert conn.reply().status == status
        down = receive(PATIENCE_S)
        assert down.reason == reason or isinstance(down.reason, ValueError)


def test_who_has_it_from_the_list_is_told_of_its_crash_though_it_never_asked_who_it_is(
    serving: Serving, connect: Connect
) -> None:
    router = Router()
    test = self_ref()

    @router.get("/")
    async def crash(request: Request) -> str:
        go_on = asyncio.Event()
        test.send((asyncio.get_running_loop(), go_on))
        await go_on.wait()
        raise ValueError("scripted")

    running = serving(router)
    conn = connect(running.url)
    conn.get("/")
    loop, go_on = receive(PATIENCE_S)
    monitor(running.requests()[0].ref)
    loop.call_soon_threadsafe(go_on.set)
    assert conn.reply().status == 500
    assert isinstance(receive(PATIENCE_S).reason, ValueError)


def test_one_that_is_linked_ends_with_the_other_or_is_told(url: str, connect: Connect) -> None:
    conn = connect(url)
    conn.get("/link/trap")
    receive(PATIENCE_S)
    assert conn.reply().body == b"was sent Exit"
    conn.get("/link/no")
    assert conn.reply().status == 503


def test_receive_says_what_to_write_instead(url: str, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    conn = connect(url)
    conn.get("/blocking-receive")
    assert conn.reply().status == 500
    assert "write `await receive_async(...)`" in caplog.text


def test_one_that_nobody_asks_for_is_no_process(serving: Serving, connect: Connect) -> None:
    router = Router()
    found: list[Any] = []

    @router.get("/")
    async def index(request: Request) -> str:
        found.extend(process for process in bonds.processes if isinstance(process, Visitor))
        return "yay"

    conn = connect(serving(router).url)
    conn.get("/")
    assert conn.reply().body == b"yay"
    assert found == []
