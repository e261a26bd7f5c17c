"""Bodies whose parts come from `async def` code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import PLAINLY
from tests.server.streaming import PATIENCE_S, app_of, come_to_rest, read_until
from tinybeam import ClientDisconnected, Response, Router
from tinybeam.process import exit, receive_async, self_ref

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Gates, Serving, Until

pytestmark = pytest.mark.usefixtures("nothing_left")


async def numbers(count: int) -> AsyncIterator[str]:
    for number in range(count):
        await asyncio.sleep(0)
        yield f"{number} "


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_async_source_is_streamed_from_any_handler(
    serving: Serving, asynchronous: bool, local_client_of: Any
) -> None:
    router = Router()

    if asynchronous:

        @router.get("/")
        async def handler(request: Any) -> Any:
            return numbers(100)
    else:

        @router.get("/")
        def handler(request: Any) -> Any:  # type: ignore[misc]
            return numbers(100)

    running = serving(router)
    text = "".join(f"{number} " for number in range(100))
    for _ in range(3):
        assert httpx.get(running.url, **PLAINLY).text == text
    assert running.requests() == []
    assert local_client_of(router).get("/").text == text


def test_an_async_source_that_raises_cuts_the_connection(serving: Serving, connect: Connect, caplog: Any) -> None:
    async def failing() -> AsyncIterator[str]:
        yield "half of"
        raise ValueError("broken in the middle")

    conn = connect(serving(app_of(lambda _request: failing())).url)
    conn.get("/")
    octets = conn.rest()
    assert b"half of" in octets
    assert b"\r\n0\r\n" not in octets
    assert "broken in the middle" in caplog.text


@pytest.mark.parametrize("where", ["at a yield", "at an await"])
def test_an_async_source_is_told_that_its_client_has_left(
    serving: Serving, connect: Connect, gates: Gates, where: str
) -> None:
    told, gate = [], gates()
    gate.open()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
                if where == "at an await":
                    await asyncio.sleep(3600 if told else 0.001)
        except BaseException as error:
            told.append(type(error))
            raise
        finally:
            gate.wait()

    running = serving(app_of(lambda _request: endless()))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"xxx")
    conn.close()
    gate.reached()
    assert told[0] in (ClientDisconnected, asyncio.CancelledError)
    assert running.stats()["streams"] == 0


def test_an_async_source_is_asked_for_no_more_than_the_client_takes(
    serving: Serving, connect: Connect, until: Until
) -> None:
    made = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            made.append(1)
            yield b"x" * 10_000

    running = serving(app_of(lambda _request: endless()))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"xxx")
    produced = come_to_rest(made, until)
    while len(made) == produced:
        assert conn.sock.recv(65536)
    conn.close()


def test_an_async_source_can_be_killed_and_drained(serving: Serving, connect: Connect) -> None:
    async def quiet() -> AsyncIterator[str]:
        yield "begun"
        await asyncio.sleep(3600)

    running = serving(app_of(lambda _request: Response.events(quiet())))
    killed, drained = connect(running.url), connect(running.url)
    killed.get("/")
    read_until(killed, b"begun")
    [row] = running.requests()
    exit(row.ref, "kill")
    assert b"\r\n0\r\n" not in killed.rest()
    drained.get("/")
    read_until(drained, b"begun")
    assert running.drain(PATIENCE_S * 1000)
    assert drained.rest().endswith(b"0\r\n\r\n")


def test_code_of_an_async_source_is_a_process(serving: Serving) -> None:
    async def talking() -> AsyncIterator[str]:
        self_ref().send("hello")
        yield await receive_async(PATIENCE_S)

    assert httpx.get(serving(app_of(lambda _request: talking())).url, **PLAINLY).text == "hello"
