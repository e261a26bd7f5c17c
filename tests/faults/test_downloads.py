"""Downloads of any size in little memory, as the operating system counts it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Program, Spawn

MIB = 1 << 20
SHORT_MIB = 16
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


@pytest.fixture(autouse=True)
def one_arena(monkeypatch: pytest.MonkeyPatch) -> None:
    """What malloc keeps for each thread that has ever used it depends on which ones did, and not on us."""
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")


def grown(program: Program, short: str, long: str) -> int:
    """By how many octets a long download has made the server larger."""
    assert discard(program, short) > SHORT_MIB * MIB
    before = program.memory
    assert discard(program, long) > LONG_MIB * MIB
    return program.memory - before


def test_a_download_from_a_generator_does_not_make_the_server_larger(spawn: Spawn) -> None:
    program = spawn()
    assert grown(program, f"/parts/{SHORT_MIB}", f"/parts/{LONG_MIB}") < MIB
    program.stop()


def test_a_download_of_a_file_does_not_make_the_server_larger(spawn: Spawn, tmp_path: Path) -> None:
    program = spawn()
    for name, mib in (("short", SHORT_MIB), ("long", LONG_MIB)):
        with (tmp_path / "files" / name).open("wb") as file:
            file.truncate(mib * MIB)  # it takes no room
    assert grown(program, "/files/short", "/files/long") < MIB
    program.stop()
