"""How much a batch holds, and how long a runner may be busy with one."""

from __future__ import annotations

import pytest

from tinybeam import contract
from tinybeam.config import Config
from tinybeam.portable import port
from tinybeam.portable.batch import Batch
from tinybeam.portable.port import Pace

TAKEOVER_MS = 10


def record(handle: int) -> list[object]:
    return [handle, "GET", "/", None, b"\n", b"", "", b""]


def test_a_batch_takes_so_many_requests() -> None:
    batch = Batch(2)
    for handle in (1, 2):
        assert batch.open
        batch.push(record(handle), 100)
    assert not batch.open
    assert not batch.fits(1)
    assert batch.handles == [1, 2]


def test_a_batch_takes_so_many_octets_but_its_first_request_whatever_it_has() -> None:
    batch = Batch(10)
    assert batch.fits(1 << 30)
    batch.push(record(1), 60_000)
    assert batch.fits(5_000)
    assert not batch.fits(6_000)
    batch.push(record(2), 5_536)
    assert not batch.open


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ns = 0
        monkeypatch.setattr(port.time, "monotonic_ns", lambda: self.ns)


def test_a_batch_is_as_large_as_half_a_tick_of_the_watchdog_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(Config(takeover_ms=TAKEOVER_MS, batch_requests_max=100))
    assert pace.on_poll(contract.PHASE_RUNNING) == 100  # nothing is known yet
    pace.on_handed(5)
    clock.ns += 5 * 1_000_000
    assert pace.on_poll(contract.PHASE_RUNNING) == 5  # of a millisecond each
    for _ in range(100):
        pace.on_handed(1)
        clock.ns += 1_000
        pace.on_poll(contract.PHASE_RUNNING)
    pace.on_handed(1)
    clock.ns += 1_000
    assert pace.on_poll(contract.PHASE_RUNNING) == 100
    pace.on_handed(1)
    clock.ns += 10_000_000_000
    assert pace.on_poll(contract.PHASE_RUNNING) == 1  # one there always is


def test_what_a_runner_did_beside_its_batch_says_nothing_of_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    pace = Pace(Config(takeover_ms=TAKEOVER_MS, batch_requests_max=100))
    pace.on_handed(1)
    clock.ns += 10_000_000_000
    assert pace.on_poll(contract.PHASE_MIXED) == 100
