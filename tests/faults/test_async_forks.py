"""Forks of a server that has an event loop, in the loop's own thread and elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.conftest import Program, Spawn

APP = """
import asyncio
import os
import sys
from tinybeam import Router

router = Router()
children = []

@router.get("/")
async def index(request):
    await asyncio.sleep(0)
    return "yay"

def fork(way):
    child = os.fork()
    if child == 0:
        if way == "exits":
            os._exit(0)
        if way == "leaves":
            sys.exit(7)
        return "an answer of the child"
    children.append(child)
    return "forked"

@router.get("/fork/{way}")
async def forking(request, way):
    # Others that are ready in the same turn, or wait: the child must not go on with them, nor end them.
    waiting = asyncio.create_task(wait(os.getpid()))
    await asyncio.sleep(0)
    others = [asyncio.create_task(tick()) for _ in range(3)]
    answer = fork(way)
    if answer != "forked" and way == "awaits":
        await asyncio.sleep(0)
        os.write(1, b"the child went on\\n")
    waiting.cancel()
    await asyncio.wait([waiting, *others])
    return answer

async def wait(pid):
    try:
        await asyncio.sleep(30)
    finally:
        if os.getpid() != pid:
            os.write(2, b"cleaned up in the child\\n")

async def tick():
    os.write(2, b"tick in %d\\n" % os.getpid())

@router.get("/def/{way}", blocking=False)
def forking_def(request, way):
    return fork(way)

@router.get("/keep")
async def keep(request):
    # Lives until the test closes its standard input.
    child = os.fork()
    if child == 0:
        os.write(1, b"alive\\n")
        while os.read(0, 1):
            pass
        os._exit(0)
    return str(child)

@router.get("/ends")
def ends(request):
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    children.clear()
    return ",".join(map(str, codes))
"""


@pytest.fixture
def forking(spawn: Spawn, tmp_path: Path) -> Program:
    (tmp_path / "faulty.py").write_text(APP)
    return spawn()


def get(program: Program, path: str) -> bytes:
    return program.ask(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()).partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("path", ["/fork/exits", "/fork/returns", "/fork/leaves", "/fork/awaits", "/def/returns"])
def test_a_fork_costs_the_loop_nothing_and_the_child_does_nothing_of_what_it_did(path: str, forking: Program) -> None:
    for _ in range(10):
        assert get(forking, path) == b"forked"
        # The loop is woken by a descriptor that the child had a copy of.
        assert get(forking, "/") == b"yay"
    assert get(forking, "/ends") == b",".join([b"0"] * 10)
    pid = forking.process.pid
    log = forking.stop()
    ticks = [line for line in log.splitlines() if line.startswith(b"tick in ")]
    assert set(ticks) <= {b"tick in %d" % pid}
    assert b"the child went on" not in log
    for word in (
        b"ERROR",
        b"CRITICAL",
        b"Exception ignored",
        b"never awaited",
        b"was destroyed",
        b"cleaned up in the child",
    ):
        assert word not in log, log.decode()


def test_a_child_that_lives_on_has_no_socket_of_the_loop(forking: Program) -> None:
    assert get(forking, "/") == b"yay"
    child = int(get(forking, "/keep"))
    assert forking.line() == "alive"
    names = [os.readlink(f"/proc/{child}/fd/{name}") for name in os.listdir(f"/proc/{child}/fd")]
    stdin = forking.process.stdin
    assert stdin is not None
    stdin.close()
    assert [name for name in names if "socket:" in name or "eventpoll" in name] == []
    assert get(forking, "/") == b"yay"
    forking.stop()
