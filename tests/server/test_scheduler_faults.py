"""What the faults of its runners cost a live server."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router, contract
from tinybeam.server.engine import Engine
from tinybeam.server.scheduler import FAULTS_MAX, Scheduler

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.conftest import Connect, MakeWitness, Serving

RUNNER = "tinybeam-runner"


def fault_times(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The next batches cannot be decoded."""
    decode = Scheduler.decode
    left = [None] * times

    def faulty(self: Scheduler, view: memoryview) -> list[Request]:
        if left:
            left.pop()
            raise MemoryError("scripted")
        return decode(self, view)

    monkeypatch.setattr(Scheduler, "decode", faulty)


def test_a_fault_costs_its_batch_a_500_each_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, make_witness: MakeWitness
) -> None:
    witness = make_witness()
    fault_times(monkeypatch, 1)
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
    connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, make_witness: MakeWitness
) -> None:
    witness = make_witness()
    first = witness.running.ref
    fault_times(monkeypatch, FAULTS_MAX + 1)
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
    connect: Connect, monkeypatch: pytest.MonkeyPatch, make_witness: MakeWitness
) -> None:
    witness = make_witness()
    fault_times(monkeypatch, 1000)
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
