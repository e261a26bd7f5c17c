"""The copy of an engine in a forked child."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from tinybeam import contract
from tinybeam.http import KIND_TEXT

if TYPE_CHECKING:
    from tests.server.conftest import CodeOf, Rig

encode = msgspec.msgpack.encode
PATIENCE_S = 30


def in_child(work: Callable[[], object]) -> None:
    """Runs this in a forked child; what it raises there fails the test here."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            os.write(2, f"in the child: {error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_every_call_on_a_forked_copy_says_so_and_the_parent_goes_on(rig: Rig, code_of: CodeOf) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    answers = encode([(request.handle, KIND_TEXT, "yay")])

    def work() -> None:
        assert [code_of(call) for call in rig.calls()] == [contract.EFORKED] * 8
        assert rig.engine.respond(answers) == contract.EFORKED
        assert rig.engine.close() is False
        rig.engine.wake()

    in_child(work)
    rig.flush(answers)
    assert rig.reply() == (200, b"yay")


def test_a_child_can_open_an_engine_of_its_own(rig: Rig, make_rig: Callable[[], Rig]) -> None:
    def work() -> None:
        own = make_rig()
        own.post("/", b"x")
        (request,) = own.requests()
        own.flush(encode([(request.handle, KIND_TEXT, "child")]))
        assert own.reply() == (200, b"child")
        own.close()

    in_child(work)


def test_a_grandchild_keeps_the_descriptors_that_its_parent_has_opened_since(rig: Rig) -> None:
    rig.post("/", b"x")
    rig.requests()

    def work() -> None:
        # They get the numbers that letting go of the engine has made free.
        own = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
        in_child(lambda: [os.fstat(fd) for fd in own])

    in_child(work)


def test_threads_that_fork_at_once_wait_for_each_other(rig: Rig, code_of: CodeOf) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        assert code_of(rig.engine.stats) == contract.EFORKED

    def fork() -> None:
        try:
            for _ in range(20):
                in_child(work)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    forking = [threading.Thread(target=fork, daemon=True) for _ in range(4)]
    for thread in forking:
        thread.start()
    for thread in forking:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in forking)
    assert failed == []
    rig.post("/", b"x")
    (request,) = rig.requests()
    rig.flush(encode([(request.handle, KIND_TEXT, "yay")]))
    assert rig.reply() == (200, b"yay")
