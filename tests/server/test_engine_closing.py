"""An engine that is woken, drained and closed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from tinybeam import contract
from tinybeam.http import KIND_TEXT
from tinybeam.server.engine import Port

if TYPE_CHECKING:
    from tests.server.conftest import CodeOf, Rig, Until

encode = msgspec.msgpack.encode


def test_a_poll_that_waits_is_ended_by_a_wake_and_by_an_octet_in_the_wakeup_fd(rig: Rig) -> None:
    for end, flag in (
        (rig.engine.wake, contract.POLL_WAKE),
        (lambda: os.write(rig.engine.wakeup_fd, b"\2"), contract.POLL_SIGNAL),
    ):
        polled: list[int] = []
        waiting = threading.Thread(target=lambda into=polled: into.append(rig.port.poll(b"")))
        waiting.start()
        end()
        waiting.join()
        assert polled[0] >> 48 & flag


def test_a_drain_ends_with_drained(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    rig.engine.drain()
    rig.flush()
    status = rig.port.poll(encode([(request.handle, KIND_TEXT, "last")]))
    assert status >> 48 & contract.POLL_DRAINED
    assert rig.reply() == (200, b"last")
    assert rig.client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        rig.connect()


def test_every_call_on_a_closed_engine_says_so(rig: Rig, code_of: CodeOf) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    assert rig.engine.close() is True
    assert rig.engine.close() is False
    assert [code_of(call) for call in rig.calls()] == [contract.ESHUTDOWN] * 8
    assert rig.engine.respond(encode([(request.handle, KIND_TEXT, "late")])) == contract.ESHUTDOWN
    rig.engine.wake()
    rig.port.forfeit()
    rig.port.close()
    assert rig.client.recv(1) == b""


def test_a_close_wakes_the_one_who_polls_and_those_on_stand_by(rig: Rig, code_of: CodeOf) -> None:
    codes: list[int] = []

    def poll(port: Port) -> None:
        codes.append(code_of(lambda: port.poll(b"")))

    waiting = [threading.Thread(target=poll, args=(rig.engine.open_port(),)) for _ in range(3)]
    waiting.append(threading.Thread(target=poll, args=(rig.port,)))
    for thread in waiting:
        thread.start()
    assert rig.engine.close() is True
    for thread in waiting:
        thread.join()
    assert codes == [contract.ESHUTDOWN] * 4


def test_an_engine_that_nobody_holds_any_more_is_closed_and_freed(make_rig: Callable[[], Rig]) -> None:
    rig = make_rig()
    client = rig.client
    rig.post("/", b"x")
    rig.requests()
    del rig
    with client:
        assert client.recv(1) == b""


def counted(kind: str) -> int:
    """How many descriptors ("fd") or threads ("task") this process has."""
    return len(os.listdir(f"/proc/self/{kind}"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads and descriptors are counted in /proc")
def test_a_close_leaves_no_thread_and_no_descriptor(make_rig: Callable[[], Rig], until: Until) -> None:
    make_rig().close()
    descriptors, threads = counted("fd"), counted("task")
    for _ in range(5):
        rig = make_rig()
        clients = [rig.connect() for _ in range(5)]
        rig.post("/", b"x")
        (request,) = rig.requests()
        assert counted("fd") >= descriptors + 12
        assert rig.engine.close() is True
        for client in (rig.client, *clients):
            client.close()
        del rig, request
    until(lambda: counted("task") <= threads)  # a thread that was joined may be counted for a moment more
    assert counted("fd") == descriptors
