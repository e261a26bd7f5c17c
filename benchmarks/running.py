"""A server while it runs: started, waited for, checked, and stopped by its own process id.

Owns:  the started program, its port, its scratch folder and its log.
Knows: a command line; that a server is ready when it accepts and answers.
Never: a signal to a program that it did not start.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import LoadError
from benchmarks.scenarios import ECHO_BODY, Scenario
from benchmarks.servers import ROOT, Server

START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 5.0


class ServerError(Exception):
    """A server that did not start, or answered something else than the others; the message has its last words."""


@dataclass(frozen=True)
class Running:
    """A started server: the process id at the root of its tree, and the port on 127.0.0.1."""

    server: Server
    pid: int
    port: int

    def check(self, scenario: Scenario) -> None:
        """Asks once and compares the octets, so that every server does the same work. Raises ServerError."""
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            conn.request(scenario.method, scenario.path, body=ECHO_BODY if scenario.method == "POST" else None)
            response = conn.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"{self.server.name}: {scenario.method} {scenario.path} failed: {error!r}") from error
        finally:
            conn.close()
        if response.status != 200 or body != scenario.answer:
            raise ServerError(
                f"{self.server.name}: {scenario.method} {scenario.path} gave {response.status} {body[:40]!r}"
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(child: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise ServerError(f"did not start: {_last_words(child, log)}")


def _last_words(child: "subprocess.Popen[bytes]", log: Path) -> str:
    # They may end up in a report, where no path of this machine belongs.
    lines = log.read_text(errors="replace").replace(f"{ROOT}/", "").strip().splitlines()[-3:]
    return " | ".join([*lines, f"exit code {child.poll()}"])


def _stop(child: "subprocess.Popen[bytes]") -> None:
    # The server leads a session of its own, so its group holds its workers and nobody else.
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS_MAX)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextlib.contextmanager
def start(server: Server, *, cpu: int | None = None) -> Iterator[Running]:
    """Runs the server for the length of a `with` block, on one CPU if asked. Raises ServerError if it does not come."""
    with tempfile.TemporaryDirectory(prefix="tinybeam-bench-") as name:
        scratch, port = Path(name), _free_port()
        log = scratch / "log"
        command = server.command(port, scratch)
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        with log.open("wb") as out:
            child = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        try:
            _wait_until_ready(child, port, log)
            yield Running(server, child.pid, port)
        except (OSError, LoadError, ServerError) as error:
            if child.poll() is not None:
                raise ServerError(f"the server ended by itself: {_last_words(child, log)}") from error
            raise
        finally:
            _stop(child)
