"""The fast load: one run of wrk.

Owns:  wrk's command line and the reading of its result.
Knows: the Lua scripts beside it, which choose the request and print the result as JSON.
Never: an unbounded wait.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_LUA = Path(__file__).resolve().parent / "lua"
_GRACE_SECONDS = 30
THREADS = 1
CONNECTIONS = 64


class LoadError(Exception):
    """wrk is missing or failed."""


@dataclass(frozen=True)
class Load:
    """What wrk counted. Latencies in microseconds, 0 when nothing was answered; failures by kind, empty if none."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    failures: dict[str, int]


def wrk_version() -> str:
    """The version of wrk. Raises LoadError with what to install when there is none."""
    if shutil.which("wrk") is None:
        raise LoadError("wrk is missing: install it (Debian: apt install wrk)")
    found = re.search(r"wrk (\S+)", subprocess.run(["wrk", "-v"], capture_output=True, text=True, timeout=10).stdout)
    return found[1] if found else "unknown"


def run_wrk(port: int, path: str, script: str, seconds: float, *, cpu: int | None = None) -> Load:
    """Loads 127.0.0.1:port for whole seconds with 64 connections from one thread. Raises LoadError."""
    pinned = [] if cpu is None else ["taskset", "-c", str(cpu)]
    shape = [f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--latency", "-s", script]
    command = [*pinned, "wrk", *shape, f"http://127.0.0.1:{port}{path}"]
    try:
        done = subprocess.run(command, cwd=_LUA, capture_output=True, text=True, timeout=seconds + _GRACE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoadError(f"wrk did not finish: {error}") from error
    found = re.search(r"^wrk-result (\{.*\})$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or found is None:
        raise LoadError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    result: dict[str, int] = json.loads(found[1])
    kinds = ("connect", "read", "write", "status", "timeout")
    return Load(
        requests=result["requests"],
        seconds=result["duration_us"] / 1e6,
        p50_us=result["p50_us"],
        p99_us=result["p99_us"],
        failures={kind: result[kind] for kind in kinds if result[kind]},
    )
