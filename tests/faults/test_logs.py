"""What comes over the wire never reaches a terminal or a log line raw."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.conftest import Spawn

ENTRY = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [A-Z]+ ")
# As an encoded path may bring them: escape sequences, line breaks, C1 controls, separators, overlong and broken UTF-8.
NASTY = [
    "%1b%5b2J", "%0d%0a2026-11-21%20ERROR%20forged", "%00", "%07", "%c2%9b31m", "%e2%80%a8line", "%e2%80%ae",
    "%c0%af", "%ed%a0%80", "%ff%fe", "%22%27", "%5cx1b", "%7f", "%f3%a0%80%81",
]  # fmt: skip


def test_no_control_character_of_a_request_is_ever_logged(spawn: Spawn) -> None:
    program = spawn("--access-log", "--log-level", "debug", "--request-timeout-ms", "300")
    for nasty in NASTY:
        for path in (f"/{nasty}", f"/crash/{nasty}", f"/?q={nasty}"):
            program.ask(f"GET {path} HTTP/1.1\r\nHost: t\r\nX: {nasty}\r\n\r\n".encode())
    for raw in (b"\x1b[2J", b"\x9b31m", b"\xc2\x9b", b"\x07", b'"', b"\\", b"\xe2\x80\xa8", b"\r", b"\n"):
        program.ask(b"GET /" + raw + b" HTTP/1.1\r\nHost: t\r\n\r\n")
        program.ask(b"GET / HTTP/1.1\r\nHost: t\r\nX: " + raw + b"\r\n\r\n")
        program.ask(b"GET / HTTP/1.1\r\nHost: t" + raw + b"\r\n\r\n")
        program.ask(b"G" + raw + b"T / HTTP/1.1\r\nHost: t\r\n\r\n")
        program.ask(b"GET / HTTP/1.1" + raw + b"\r\nHost: t\r\n\r\n")
    program.ask(b"!#$%&'*+.^_`|~ /crash/x HTTP/1.1\r\nHost: t\r\n\r\n")
    program.connect().sendall(b"GET /wait?%1b%0a HTTP/1.1\r\nHost: t\r\n\r\n")
    assert program.line() == "waiting"
    while b"is overdue" not in program.log_path.read_bytes():
        assert program.ask().endswith(b"yay")
    program.let_go()
    log = program.stop()
    text = log.decode()  # what was broken UTF-8 is UTF-8 now
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    lines = log.splitlines()
    assert len(lines) > 80
    for line in lines:
        assert ENTRY.match(line) or line.startswith(b"    "), line
    assert sum(b"crashed: GET /crash/" in line for line in lines) == len(NASTY) - 3, (
        "a path that is not UTF-8 matches nothing"
    )
