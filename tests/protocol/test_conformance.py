"""The HTTP/1.1 conformance cases, where they are at hand: none may fail, and of two outcomes it is the strict one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tinybeam import Router
from tinybeam.server import RunningServer

RUNNER = Path(__file__).resolve().parents[3] / "shared" / "conformance" / "run_h1_cases.py"


@pytest.mark.skipif(
    not RUNNER.exists(), reason=f"the conformance cases are not here: no {RUNNER.name} beside the project"
)
def test_no_conformance_case_fails(serving: Callable[..., RunningServer]) -> None:
    router = Router()
    router.fallback(lambda request: request.body)
    port = serving(router).port
    done = subprocess.run(
        [sys.executable, str(RUNNER), "127.0.0.1", str(port), "--jobs", "8"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout or " 0 failed" in done.stdout, done.stdout
    assert "lenient-but-allowed 0\n" in done.stdout, done.stdout
