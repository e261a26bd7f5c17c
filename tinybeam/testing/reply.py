"""What a test's client gets back.

Owns: the reading of a reply's body.
Knows: Headers, and JSON.
Never: raises for a status; a test asserts on it.
"""

from __future__ import annotations

import dataclasses
from email.message import Message
from typing import Any

import msgspec

from tinybeam.http import Headers


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """A status, header fields (names compare without case), and the whole body, decoded from its transfer coding.

    >>> reply = Reply(200, Headers.of([("Content-Type", "application/json")]), b'{"id": 7}')
    >>> reply.json(), reply.text, reply.headers["content-type"]
    ({'id': 7}, '{"id": 7}', 'application/json')
    """

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body in the charset that its content type names, else UTF-8. Raises ValueError when it is not that."""
        fields = Message()
        fields["content-type"] = self.headers.get("content-type") or "text/plain"
        return self.body.decode(fields.get_content_charset("utf-8"))

    def json(self, type: Any = Any) -> Any:  # noqa: A002 - as in Request.json
        """The body decoded from JSON, as `type` if one is given. Raises msgspec.DecodeError when it is not that."""
        return msgspec.json.decode(self.body, type=type)
