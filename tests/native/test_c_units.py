"""Runs the C unit tests, one case for each program."""

import subprocess
from pathlib import Path

import pytest


def test_the_c_unit_passes(c_unit: Path, tmp_path: Path) -> None:
    done = subprocess.run([c_unit], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        pytest.fail(f"{c_unit.name} ended with {done.returncode} and said:\n{output}", pytrace=False)
    print(output)
