"""Hazards 11 and 13: exits and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.native.conftest import EngineRig

EXIT_RUNS = int(os.environ.get("TINYBEAM_STRESS_EXITS", "50"))
PATIENCE_S = 30


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


EXITING = """
import contextlib, os, socket, sys, threading
from tinybeam import Router
from tinybeam.config import Config
from tinybeam.server import serve

router = Router()
inside = threading.Semaphore(0)
forever = threading.Event()

@router.get("/blocks", blocking=True)
def blocks(request):
    inside.release()
    forever.wait()

@router.get("/quick")
def quick(request):
    return "quick"

running = serve(router, Config(port=0, threads=4))
clients = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(8)]
for client in clients:
    client.sendall(b"GET /blocks HTTP/1.1\\r\\nHost: t\\r\\n\\r\\n")
    client.sendall(b"GET /quick HTTP/1.1\\r\\nHost: t\\r\\n\\r\\n" * 8)
for _ in range(4):
    inside.acquire()

def hammer():
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", running.port)) as client:
        while True:
            client.sendall(b"GET /quick HTTP/1.1\\r\\nHost: t\\r\\n\\r\\n")
            client.recv(4096)

threading.Thread(target=hammer, daemon=True).start()
ending = sys.argv[1]
if ending == "exit":
    sys.exit(7)
elif ending == "os._exit":
    os._exit(7)
elif ending == "raise":
    raise RuntimeError("uncaught")
elif ending == "stop":
    running.stop()
    sys.exit(7)
"""
ENDINGS = {"exit": 7, "os._exit": 7, "raise": 1, "stop": 7, "end": 0}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_process_ends_with_its_own_exit_code(ending: str, tmp_path: Path) -> None:
    program = tmp_path / "exiting.py"
    program.write_text(EXITING)
    for _ in range(-(-EXIT_RUNS // len(ENDINGS))):
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", program, ending], capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == ENDINGS[ending], done.stderr
        assert ("uncaught" in done.stderr) is (ending == "raise")
        assert ending == "raise" or done.stderr == ""


def test_a_sigint_ends_a_poll_on_the_main_thread(rig: EngineRig) -> None:
    assert threading.current_thread() is threading.main_thread()
    before = signal.set_wakeup_fd(rig.engine.wakeup_fd)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    # By another thread, so that it may come before the poll, or while it waits.
    killer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            killer.start()
            while True:
                rig.port.poll(b"")
    finally:
        killer.join()
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(before)
    client = rig.connect()
    client.sendall(get("/after"))
    assert rig.requests(1)[0].path_raw == "/after"
