"""What the fields say about framing and the connection: noted line by line, judged at the end.

Owns:  the rules for Host, Content-Length, Transfer-Encoding, Connection and Expect.
Knows: RFC 9112 sections 3.2, 6 and 9, RFC 9110 sections 5.6.1 and 10.1.1.
Never: repairs: what another hop could read as another end of the message is refused.
"""

from __future__ import annotations

import re
from typing import Final

from tinybeam.portable.authority import is_authority
from tinybeam.portable.refusal import Refused

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH_MOST: Final = (1 << 64) - 1
# Python refuses to read thousands of digits, and so many zeros say nothing.
_LENGTH_DIGITS: Final = 20


class Framing:
    """Give it every field, and then let it `judge`: only after that do its public attributes mean something."""

    __slots__ = (
        "_chunked",
        "_chunked_last",
        "_close",
        "_codings",
        "_host",
        "_http10",
        "_keep_alive",
        "_length",
        "_malformed",
        "_unknown",
        "chunked",
        "content_length",
        "expect_continue",
        "keep_alive",
        "zeros",
    )

    def __init__(self, *, http10: bool) -> None:
        self._http10 = http10
        self._host = self._length = self._codings = False
        self._malformed = self._unknown = self._chunked = self._chunked_last = False
        self._close = self._keep_alive = False
        self.content_length = 0
        # Whether that was written with so many zeros before it that h11 would refuse it.
        self.zeros = False
        self.chunked = False
        self.keep_alive = False
        # Whether the client waits for "100 Continue" before it sends a body.
        self.expect_continue = False

    @property
    def has_body(self) -> bool:
        return self.chunked or self.content_length > 0

    def note(self, name: bytes, value: bytes) -> None:
        """Takes a field, its name in lower case and its value trimmed. Raises Refused."""
        note = _NOTES.get(name)
        if note is not None:
            note(self, value)

    def judge(self) -> None:
        """Puts together what was noted. Raises Refused."""
        if not self._host and not self._http10:
            raise Refused(400, "no Host (RFC 9112 §3.2)")
        if self._codings:
            self._judge_codings()
        self.chunked = self._codings
        self.keep_alive = not self._close and (not self._http10 or self._keep_alive)
        self.expect_continue = self.expect_continue and self.has_body

    def _judge_codings(self) -> None:
        if self._http10:
            raise Refused(400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)")
        if self._length:
            raise Refused(400, "both Transfer-Encoding and Content-Length (RFC 9112 §6.1)")
        if self._malformed or not self._chunked_last:
            raise Refused(400, "chunked is not the one and last transfer coding (RFC 9112 §6.3)")
        if self._unknown:
            raise Refused(501, "a transfer coding besides chunked (RFC 9112 §6.1)")

    def _note_host(self, value: bytes) -> None:
        if self._host:
            raise Refused(400, "more than one Host (RFC 9112 §3.2)")
        if not is_authority(value):
            raise Refused(400, "Host is not a host and port (RFC 9112 §3.2)")
        self._host = True

    def _note_length(self, value: bytes) -> None:
        # Equal lengths are refused as well: a recipient may do so, and the sender is broken or up to something.
        if self._length:
            raise Refused(400, "more than one Content-Length (RFC 9112 §6.3)")
        if not value.isdigit():
            raise Refused(400, "Content-Length is not a decimal number (RFC 9112 §6.3)")
        digits = value.lstrip(b"0")
        if len(digits) > _LENGTH_DIGITS or int(digits or b"0") > _LENGTH_MOST:
            raise Refused(413, "Content-Length is more than any body has (RFC 9110 §8.6)")
        self._length = True
        self.zeros = len(value) > _LENGTH_DIGITS
        self.content_length = int(digits or b"0")

    def _note_codings(self, value: bytes) -> None:
        # An empty member is refused too: of all lists, this one must not be read in two ways.
        self._codings = True
        for member in _members(value):
            chunked = member == b"chunked"
            self._malformed |= _TOKEN.fullmatch(member) is None or (chunked and self._chunked)
            self._unknown |= not chunked
            self._chunked |= chunked
            self._chunked_last = chunked

    def _note_connection(self, value: bytes) -> None:
        members = _members(value)
        self._close |= b"close" in members
        self._keep_alive |= b"keep-alive" in members

    def _note_expect(self, value: bytes) -> None:
        if self._http10:
            return  # it is ignored there (RFC 9110 section 10.1.1)
        for member in _members(value):
            if member == b"100-continue":
                self.expect_continue = True
            elif member:
                raise Refused(417, "an expectation other than 100-continue (RFC 9110 §10.1.1)")


_NOTES: Final = {
    b"host": Framing._note_host,
    b"content-length": Framing._note_length,
    b"transfer-encoding": Framing._note_codings,
    b"connection": Framing._note_connection,
    b"expect": Framing._note_expect,
}


def _members(value: bytes) -> list[bytes]:
    """The members of a comma-separated list, trimmed and in lower case; some may be empty."""
    return [member.strip(b" \t") for member in value.lower().split(b",")]
