"""Sends what Tinybeam logs to stderr, one entry after another, safe to show on a terminal.

Owns: the format of an entry, and the escaping of what a client may have put in it.
Knows: the standard library's logging.
Never: touches the root logger or a logger of the user's.
"""

from __future__ import annotations

import logging
import sys


class EscapingFormatter(logging.Formatter):
    r"""Writes time, level and message, so that nobody can forge an entry or send a terminal its codes.

    What cannot be printed is escaped, a line break in a message too. Only a traceback has further lines, and these are
    indented, which the first line of an entry never is.

    >>> record = logging.LogRecord("tinybeam", logging.INFO, "", 0, "GET /%s", ("\x1b[2J\nfaked",), None)
    >>> EscapingFormatter().format(record)[24:]
    'INFO GET /\\x1b[2J\\nfaked'
    """

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        # logging keeps a formatted traceback in the record, for the handlers that come after; ours is not for them.
        kept, record.exc_text = record.exc_text, None
        try:
            return super().format(record)
        finally:
            record.exc_text = kept

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        record.message = escape(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name is logging's
        return indent(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the name is logging's
        return indent(super().formatStack(stack_info))


def escape(text: str) -> str:
    """Replaces every character that is not printable by its Python escape.

    These are the control characters, the line and paragraph separators, those that change the direction of writing,
    and lone surrogates, which could not be encoded either.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def configure(level: str) -> None:
    """Sets the level of the `tinybeam` loggers and gives them one handler, on stderr. Can be called again."""
    logger = logging.getLogger("tinybeam")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EscapingFormatter())
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    # The user's module may configure the root logger; each entry must still appear once.
    logger.propagate = False


def indent(text: str) -> str:
    """Escapes a traceback line by line."""
    return "\n".join(f"    {escape(line)}" for line in text.split("\n"))
