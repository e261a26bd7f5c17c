"""A start that fails, told with what was given to it, and no control character of that reaches a terminal raw."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# Escape sequences, line breaks, a C1 control, separators and quotes; and what is not UTF-8.
NASTY = [b"\x1b[2J\r\x07a\nb\xc2\x9b31m\xe2\x80\xa8\xe2\x80\xae\"'\\", b"\x1b\xff\xc0\xaf\xed\xa0\x80"]
ARGUMENTS: dict[str, list[bytes]] = {
    "a module": [b"run", b"%b"],
    "a part of a module": [b"run", b"nowhere%b:router"],
    "an attribute": [b"run", b"faulty:%b"],
    "a host": [b"run", b"faulty:router", b"--host", b"%b"],
    "a port": [b"run", b"faulty:router", b"--port", b"%b"],
    "a unix socket": [b"run", b"faulty:router", b"--uds", b"nowhere/%b"],
    "a folder": [b"run", b"nothing:router", b"--app-dir", b"nowhere%b"],
    "a level": [b"run", b"faulty:router", b"--log-level", b"%b"],
    "a deadline": [b"run", b"faulty:router", b"--header-timeout-ms", b"%b"],
    "a flag": [b"run", b"faulty:router", b"--%b"],
    "a command": [b"%b"],
}
VARIABLES = ["HOST", "PORT", "LOG_LEVEL", "ACCESS_LOG", "BODY_BYTES_MAX"]
RAISES = "raise ValueError('first\\n2026-11-21 ERROR forged \\x1b[2J \\x9b31m \\u2028 \\u202e \\ud800')\n"
# What the whole of an error may be: the program's own line, or how to use it.
LINES = re.compile(r"tinybeam: [^\n]+\n|Usage: [^\n]+\nTry [^\n]+\n\nError: [^\n]+\n")


def failed_start(arguments: list[bytes], folder: Path, **variables: bytes) -> str:
    """What it says on standard error; it must not have started."""
    environ = {name: value for name, value in os.environb.items() if not name.startswith(b"TINYBEAM_")}
    environ |= {f"TINYBEAM_{name}".encode(): value for name, value in variables.items()}
    if library := os.environb.get(b"TINYBEAM_LIBRARY"):
        environ[b"TINYBEAM_LIBRARY"] = library
    (folder / "faulty.py").write_text("from tinybeam import Router\nrouter = Router()\n")
    (folder / "raises.py").write_text(RAISES)
    done = subprocess.run(
        [os.fsencode(sys.executable), b"-m", b"tinybeam", *arguments], cwd=folder, env=environ, capture_output=True
    )
    assert done.returncode in (2, 3), done
    assert done.stdout == b""
    return done.stderr.decode()


def assert_clean(text: str) -> None:
    assert [c for c in text if not c.isprintable() and c != "\n"] == [], text


@pytest.mark.parametrize("what", ARGUMENTS)
def test_an_argument_that_cannot_be_used_is_told_without_its_control_characters(what: str, tmp_path: Path) -> None:
    for nasty in NASTY:
        text = failed_start([part.replace(b"%b", nasty) for part in ARGUMENTS[what]], tmp_path)
        assert_clean(text)
        assert text.startswith("Usage: ") or LINES.fullmatch(text), text


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_that_cannot_be_used_is_told_without_its_control_characters(variable: str, tmp_path: Path) -> None:
    for nasty in NASTY:
        text = failed_start([b"run", b"faulty:router"], tmp_path, **{variable: nasty})
        assert_clean(text)
        assert LINES.fullmatch(text), text


def test_what_the_app_raises_is_told_in_one_line_without_control_characters(tmp_path: Path) -> None:
    text = failed_start([b"run", b"raises"], tmp_path)
    assert_clean(text)
    assert LINES.fullmatch(text), text
    assert "forged" in text


def test_a_traceback_at_debug_level_has_none_either(tmp_path: Path) -> None:
    text = failed_start([b"run", b"raises", b"--log-level", b"debug"], tmp_path)
    assert "Traceback (most recent call last)" in text
    assert_clean(text)
    assert not any(line.startswith("2026-11-21 ERROR") for line in text.splitlines()), text


def test_an_argument_too_many_is_told_without_its_control_characters(tmp_path: Path) -> None:
    for nasty in NASTY:
        assert_clean(failed_start([b"run", b"faulty:router", nasty], tmp_path))


def test_the_line_that_says_where_it_listens_has_none(tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text("from tinybeam import Router\nrouter = Router()\n")
    path = "\x1b[2J\r\x9b31m\u2028"
    with subprocess.Popen(
        [sys.executable, "-m", "tinybeam", "run", "faulty:router", "--uds", path],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        process.terminate()
    assert "listening on" in line
    assert_clean(line)
