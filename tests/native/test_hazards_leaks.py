"""Hazard 26: what is left behind."""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pykka

from tinybeam.config import Config
from tinybeam.server import serve

if TYPE_CHECKING:
    from tests.native.conftest import EchoApp, ReceiveBodies

CYCLES = int(os.environ.get("TINYBEAM_STRESS_CYCLES", "1000"))
PATIENCE_S = 30


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def footprint() -> tuple[int, int, int]:
    """Threads, descriptors and actors of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), len(pykka.ActorRegistry.get_all())


def start_ask_and_stop(echo_app: EchoApp, receive_bodies: ReceiveBodies) -> None:
    running = serve(echo_app(), Config(port=0))
    with socket.create_connection(("127.0.0.1", running.port), PATIENCE_S) as client:
        client.sendall(get("/echo/a") * 2)
        assert receive_bodies(client, 2) == [b"a", b"a"]
        running.stop()


def test_starting_and_stopping_leaves_nothing_behind(
    until: Callable[[Callable[[], object]], None], receive_bodies: ReceiveBodies, echo_app: EchoApp
) -> None:
    for _ in range(20):  # what is allocated once and kept
        start_ask_and_stop(echo_app, receive_bodies)
    gc.collect()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("tinybeam")])
    before, resident = footprint(), resident_bytes()
    for _ in range(CYCLES):
        start_ask_and_stop(echo_app, receive_bodies)
    gc.collect()
    # A runner's thread may be on its way out when `stop` has returned.
    until(lambda: footprint() == before)
    # A leaked engine would be at least its scratches, 192 KiB; what Python itself keeps is less than 16 KiB a cycle.
    assert resident_bytes() - resident < CYCLES * 16 * 1024 + (8 << 20)
