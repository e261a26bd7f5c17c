"""Downloads of any size in little memory, as the operating system counts it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Program, Spawn

MIB = 1 << 20
LONG_MIB = 256


def discard(program: Program, path: str) -> int:
    """Reads all of an answer, and keeps none of it. Returns how many octets there were."""
    buffer = bytearray(256 * 1024)
    total = 0
    with program.connect() as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
        while received := sock.recv_into(buffer):
            total += received
    return total


@pytest.mark.parametrize(
    "kind",
    [
        "a generator",
        pytest.param("a file", marks=pytest.mark.native_only("the portable engine reads files as a whole")),
    ],
)
def test_a_download_does_not_make_the_server_larger(kind: str, spawn: Spawn, tmp_path: Path) -> None:
    program = spawn()
    for name, mib in (("short", 16), ("long", LONG_MIB)):
        with (tmp_path / "files" / name).open("wb") as file:
            file.truncate(mib * MIB)  # it takes no room
    short, long = ("/parts/16", f"/parts/{LONG_MIB}") if kind == "a generator" else ("/files/short", "/files/long")
    assert discard(program, short) > 16 * MIB
    before = program.memory
    assert discard(program, long) > LONG_MIB * MIB
    assert program.memory - before < MIB
    program.stop()
