"""Hazards 12 and 25: many threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from tinybeam import contract
from tinybeam.errors import NativeError
from tinybeam.http import KIND_TEXT

if TYPE_CHECKING:
    from tests.native.conftest import EngineRig

encode = msgspec.msgpack.encode
# A sixteenth of the 1e5 calls that the hazard asks for: the same races in a tenth of a minute.
CALLS_EACH = int(os.environ.get("TINYBEAM_STRESS_CALLS", "6250"))


def test_sixteen_threads_call_at_once(rig: EngineRig) -> None:
    """All calls let go of the GIL and none waits for it; `faulthandler_timeout` shows the threads were one to hang."""
    failures: list[object] = []
    handles = iter(range(1 << 62))
    done = threading.Event()

    def call() -> None:
        try:
            for i in range(CALLS_EACH):
                if i % 4 == 0:
                    rig.engine.stats()
                elif i % 4 == 1:
                    rig.engine.wake()
                else:
                    code = rig.engine.respond(encode([(next(handles), KIND_TEXT, "forged")]))
                    assert code in (contract.EBADHANDLE, contract.EALREADY)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    def poll() -> None:
        while not done.is_set():
            rig.port.poll(b"")

    polling = threading.Thread(target=poll)
    polling.start()
    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    rig.engine.wake()
    polling.join()
    assert failures == []


def test_a_close_while_others_call_is_one_close(rigs: Callable[..., EngineRig]) -> None:
    for _ in range(50):
        rig = rigs()
        barrier = threading.Barrier(8)
        closed: list[bool] = []

        def work(rig: EngineRig = rig, barrier: threading.Barrier = barrier, closed: list[bool] = closed) -> None:
            barrier.wait()
            closed.append(rig.engine.close())
            rig.engine.wake()
            rig.engine.respond(b"\x90")
            with pytest.raises(NativeError):
                rig.engine.stats()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(closed) == [False] * 7 + [True]
