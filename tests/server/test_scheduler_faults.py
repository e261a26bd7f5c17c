"""What the faults of its runners cost a live server."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Request, Router, contract
from tinybeam.server import scheduler
from tinybeam.server.engine import Engine
from tinybeam.server.scheduler import FAULTS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.conftest import Connect, MakeWitness, Serving

RUNNER = "tinybeam-runner"


@pytest.fixture
def fault_times(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has so many of the next batches be such as cannot be decoded, by servers that start from now on."""
    left: list[None] = []
    real = scheduler.decoder_for

    def decoder_for(engine: Any) -> Callable[[memoryview], list[Request]]:
        def faulty(view: memoryview) -> list[Request]:
            if left:
                left.pop()
                raise MemoryError("scripted")
            return decode(view)

        decode = real(engine)
        return faulty

    monkeypatch.setattr("tinybeam.server.scheduler.decoder_for", decoder_for)
    return lambda times: left.extend([None] * times)


def test_a_fault_costs_its_batch_a_500_each_and_nothing_else(
    fault_times: Callable[[int], None], caplog: pytest.LogCaptureFixture, make_witness: MakeWitness
) -> None:
    witness = make_witness()
    fault_times(1)
    witness.conn.send(b"GET /suspect HTTP/1.1\r\nHost: t\r\n\r\n" * 3)
    assert [witness.conn.reply().status for _ in range(3)] == [500, 500, 500]
    assert witness.run() == RUNNER
    assert "runner 0 faulted" in caplog.text
    assert "MemoryError: scripted" in caplog.text


def ask_until(url: str, connect: Connect, done: Callable[[], bool]) -> None:
    """Asks again and again, whatever comes of it."""
    while not done():
        with contextlib.suppress(ConnectionError, EOFError, AssertionError):
            conn = connect(url)
            conn.get("/suspect")
            conn.reply()


def test_a_server_that_faults_again_and_again_is_started_anew_where_it_was(
    fault_times: Callable[[int], None], connect: Connect, caplog: pytest.LogCaptureFixture, make_witness: MakeWitness
) -> None:
    witness = make_witness()
    first = witness.running.ref
    fault_times(FAULTS_MAX + 1)
    for _ in range(FAULTS_MAX):
        witness.conn.get("/suspect")
        assert witness.conn.reply().status == 500
    witness.conn.get("/suspect")
    ask_until(witness.running.url, connect, lambda: witness.running.ref is not first)
    assert "the server gives up" in caplog.text
    assert not first.is_alive()
    conn = connect(witness.running.url)
    conn.get("/suspect")
    assert conn.reply().status == 200


def test_one_that_never_stops_faulting_ends_with_all_that_runs_beside_it(
    fault_times: Callable[[int], None], connect: Connect, make_witness: MakeWitness
) -> None:
    witness = make_witness()
    fault_times(1000)
    ended = threading.Event()
    waiter = threading.Thread(target=lambda: (witness.running.wait(), ended.set()))
    waiter.start()
    ask_until(witness.running.url, connect, ended.is_set)
    waiter.join()
    assert not witness.running.ref.is_alive()
    with pytest.raises(ConnectionRefusedError):
        connect(witness.running.url)


@pytest.mark.native_only("it is the native engine that is told so")
def test_an_answer_that_the_engine_has_no_memory_for_becomes_a_500(
    monkeypatch: pytest.MonkeyPatch, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()
    router.get("/large", blocking=True)(lambda request: "large")
    conn = connect(serving(router).url)
    respond, codes = Engine.respond, [contract.ENOMEM]
    monkeypatch.setattr(Engine, "respond", lambda self, answers: codes.pop() if codes else respond(self, answers))
    conn.get("/large")
    assert conn.reply().status == 500
    assert "raised MemoryError" in caplog.text
