"""Type checkers know what a call answers, by its message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.process.typed_calls import Shelf, ask

HERE = Path(__file__).parent


def test_the_program_that_is_checked_does_what_its_types_say() -> None:
    shelf = Shelf.start(["Emil", "Karlsson"])
    assert ask(shelf) == (2, ["Emil", "Karlsson"])
    shelf.stop()


def test_mypy_sees_the_types_of_the_answers(tmp_path: Path) -> None:
    checked = tmp_path / "checked.py"
    checked.write_text((HERE / "typed_calls.py").read_text())
    wrong = tmp_path / "wrong.py"
    wrong.write_text(checked.read_text().replace("assert_type(count, int)", "assert_type(count, str)"))
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    right = subprocess.run([*mypy, str(checked)], capture_output=True, text=True, cwd=HERE.parents[1], check=False)
    assert right.returncode == 0, right.stdout
    told = subprocess.run([*mypy, str(wrong)], capture_output=True, text=True, cwd=HERE.parents[1], check=False)
    assert 'Expression is of type "int", not "str"' in told.stdout
