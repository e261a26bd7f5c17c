"""Hazards 8 and 9: who owes the answer.

A request has no finaliser: the runner that was handed it answers, whatever comes.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import msgspec
import pytest

from tinybeam import Request, Router, contract
from tinybeam.http import KIND_TEXT

if TYPE_CHECKING:
    from tests.native.conftest import Connect, EngineRig, ReceiveBodies, Serving

encode = msgspec.msgpack.encode


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


class Unencodable:
    """A value that no answer can carry."""


class Cycle:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.itself = self


def failing_app() -> Router:
    router = Router()

    @router.get("/drops")
    def drops(request: Request) -> None:
        del request
        gc.collect()

    @router.get("/cycle")
    def cycle(request: Request) -> str:
        Cycle(request)
        return "cycle"

    @router.get("/raises/{name}")
    def raises(request: Request, name: str) -> None:
        raise {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "base": BaseException(), "error": ValueError()}[
            name
        ]

    @router.get("/unencodable")
    def unencodable(request: Request) -> object:
        return Unencodable()

    @router.get("/surrogate")
    def surrogate(request: Request) -> str:
        return "\ud800"

    @router.get("/status")
    def status(request: Request) -> tuple[int, str]:
        return 99_999, "no such status"

    router.get("/good")(lambda request: "good")
    return router


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/drops", 204),
        ("/cycle", 200),
        ("/raises/exit", 500),
        ("/raises/interrupt", 500),
        ("/raises/base", 500),
        ("/raises/error", 500),
        ("/unencodable", 500),
        ("/surrogate", 500),
        ("/status", 500),
    ],
)
@pytest.mark.usefixtures("no_faults")
def test_a_handler_that_fails_in_any_way_is_answered(
    serving: Serving, connect: Connect, path: str, status: int
) -> None:
    running = serving(failing_app())
    conn = connect(running.url)
    conn.send(get("/good") + get(path) + get("/good"))
    assert [conn.reply().status for _ in range(3)] == [200, status, 200]
    assert running.stats()["answers_refused"] == 0


def test_a_runner_that_forfeits_answers_500_to_the_rest_of_its_batch(
    rig: EngineRig, receive_bodies: ReceiveBodies
) -> None:
    client = rig.connect()
    client.sendall(get("/1") + get("/2") + get("/3"))
    requests = rig.requests(3)
    assert rig.engine.respond(encode([(requests[1].handle, KIND_TEXT, "answered")])) == contract.OK
    rig.port.forfeit()
    rig.flush()
    assert receive_bodies(client, 3) == [b"", b"answered", b""]
    assert rig.engine.stats()["handles_open"] == 0


@pytest.mark.usefixtures("no_faults")
def test_a_garbage_collection_at_every_step_disturbs_nothing(serving: Serving, connect: Connect) -> None:
    running = serving(failing_app())
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        conns = [connect(running.url) for _ in range(8)]
        for _ in range(25):
            for conn in conns:
                conn.send(get("/cycle") * 8)
            for conn in conns:
                assert [conn.reply().body for _ in range(8)] == [b"cycle"] * 8
    finally:
        gc.set_threshold(*before)
    stats = running.stats()
    assert (stats["handles_open"], stats["answers_refused"]) == (0, 0)
