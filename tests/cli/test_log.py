"""Log entries: one line each, whatever a client puts into them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from tinybeam.cli.log import EscapingFormatter, configure, escape


@pytest.fixture
def tinybeam_logger() -> Iterator[logging.Logger]:
    """The logger that `configure` changes, put back after the test."""
    logger = logging.getLogger("tinybeam")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield logger
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain text, naïve 日本", "plain text, naïve 日本"),
        ("a\nb\rc", r"a\nb\rc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("nul\0 del\x7f csi\x9b", r"nul\x00 del\x7f csi\x9b"),
        ("\u2028\u202e", r"\u2028\u202e"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_cannot_be_printed_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_an_entry_has_time_level_and_message(
    tinybeam_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("info")
    logging.getLogger("tinybeam.server").info("GET %s", "/x\n2026-01-01 00:00:00.000 INFO forged")
    entry = capsys.readouterr().err
    assert entry.count("\n") == 1
    day, time, level, message = entry.rstrip("\n").split(" ", 3)
    assert (len(day), len(time), level) == (10, 12, "INFO")
    assert message == r"GET /x\n2026-01-01 00:00:00.000 INFO forged"


def test_the_lines_of_a_traceback_are_indented_and_escaped() -> None:
    try:
        raise ValueError("first\n2026-01-01 INFO forged \x1b[2J")
    except ValueError:
        record = logging.LogRecord("tinybeam", logging.ERROR, "", 0, "crash", (), sys.exc_info(), sinfo="Stack\n  line")
    first, *rest = EscapingFormatter().format(record).split("\n")
    assert first.endswith("ERROR crash")
    assert all(line.startswith("    ") for line in rest)
    assert "    2026-01-01 INFO forged \\x1b[2J" in rest
    assert "    Stack" in rest


def test_entries_below_the_level_are_left_out(
    tinybeam_logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    configure("warning")
    logging.getLogger("tinybeam.cli").info("quiet")
    logging.getLogger("tinybeam.cli").warning("loud")
    assert "quiet" not in (err := capsys.readouterr().err)
    assert "loud" in err


def test_configuring_twice_leaves_one_handler_and_the_root_logger_alone(tinybeam_logger: logging.Logger) -> None:
    before = logging.getLogger().handlers[:]
    configure("debug")
    configure("error")
    assert len(tinybeam_logger.handlers) == 1
    assert tinybeam_logger.level == logging.ERROR
    assert logging.getLogger().handlers == before


def test_an_entry_appears_once_when_the_user_configured_the_root_logger(
    tinybeam_logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    configure("info")
    logging.getLogger("tinybeam.server").info("once")
    assert caplog.records == []


def test_a_traceback_is_formatted_for_this_handler_only() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.LogRecord("tinybeam", logging.ERROR, "", 0, "crashed", (), sys.exc_info())
    assert "    ValueError: why" in EscapingFormatter().format(record)
    assert "\nValueError: why" in logging.Formatter().format(record)
