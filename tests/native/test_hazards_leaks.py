"""Hazard 26: what is left behind."""

from __future__ import annotations

import ctypes
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import pykka

from tinybeam.config import Config
from tinybeam.server import serve

if TYPE_CHECKING:
    from tests.native.conftest import EchoApp, ReceiveBodies

CYCLES = int(os.environ.get("TINYBEAM_STRESS_CYCLES", "1000"))
PATIENCE_S = 30


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


class _Mallinfo2(ctypes.Structure):
    """What mallinfo2(3) returns."""

    _fields_: ClassVar = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")),
    ]


def allocated_bytes() -> int:
    """What malloc has given out, in all its arenas.

    Not the resident set: which pages an arena keeps depends on who held the last chunk in it. A C library without
    mallinfo2, or a sanitizer in its place, counts nothing; LeakSanitizer and the count of blocks are left there.
    """
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        return 0
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


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
    before, allocated, blocks = footprint(), allocated_bytes(), sys.getallocatedblocks()
    for _ in range(CYCLES):
        start_ask_and_stop(echo_app, receive_bodies)
    gc.collect()
    # A runner's thread may be on its way out when `stop` has returned.
    until(lambda: footprint() == before)
    # One engine is at least its scratches, 192 KiB; Python and its libraries may grow a table or two.
    assert allocated_bytes() - allocated < 1 << 20
    assert sys.getallocatedblocks() - blocks < CYCLES
