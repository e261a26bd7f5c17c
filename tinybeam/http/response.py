"""A response, checked when it is made.

Owns:  the default Content-Type of each kind of body, and the class that handlers build their answers with.
Knows: msgspec's JSON; `fields` for what may be sent.
Never: a field that frames the message: length, connection and date are the engine's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from urllib.parse import quote

import msgspec

from tinybeam.http.fields import Pairs, checked_field, checked_fields, field_octets
from tinybeam.http.status import checked_status, has_body

BYTES = "application/octet-stream"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

json_octets: Callable[[object], bytes] = msgspec.json.Encoder().encode


class Response:
    """An answer: a body, a status from 200 to 599, and header fields as a mapping or as (name, value) pairs.

    The body decides the Content-Type unless `content_type` or a header does: str is text/plain, bytes are
    application/octet-stream, a dict, list, dataclass or msgspec.Struct is JSON, None is an empty body without one.

    Raises ValueError for a status out of range, a header that cannot be sent or is the engine's to write, or a body
    where the status allows none (204, 304); TypeError for a body that cannot be sent.

    >>> response = Response({"id": 7}, status=201, headers={"Location": "/users/7"})
    >>> response.status, response.body, response.headers
    (201, b'{"id":7}', (('Location', '/users/7'), ('Content-Type', 'application/json')))
    """

    __slots__ = ("_body", "_fields", "_status")

    def __init__(
        self, body: object = None, status: int = 200, headers: Pairs = (), content_type: str | None = None
    ) -> None:
        self._status = checked_status(status)
        self._body, kind = body_octets(body)
        if self._body and not has_body(self._status):
            raise ValueError(f"a {self._status} answer has no body; leave the body out")
        self._fields = checked_fields(headers, len(self._body))
        if content_type is not None:
            self._fields.append(checked_field("Content-Type", content_type))
        elif kind and not any(name.lower() == "content-type" for name, _ in self._fields):
            self._fields.append(("Content-Type", kind))

    @property
    def status(self) -> int:
        return self._status

    @property
    def body(self) -> bytes:
        """The octets that will be sent, whatever the body was made from."""
        return self._body

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The fields in the order they will be sent; `add_header` is the way to add one."""
        return tuple(self._fields)

    def add_header(self, name: str, value: str) -> None:
        """Adds a field, beside any other of that name. Raises ValueError for one that cannot be sent.

        >>> response = Response("hi")
        >>> response.add_header("Set-Cookie", "a=1; HttpOnly")
        """
        self._fields.append(checked_field(name, value))

    def field_octets(self) -> bytes:
        """The fields in the form that the engine takes."""
        return field_octets(self._fields)

    @classmethod
    def text(cls, body: str, status: int = 200, headers: Pairs = ()) -> Response:
        """Plain text in UTF-8."""
        return cls(body, status, headers, TEXT)

    @classmethod
    def html(cls, body: str, status: int = 200, headers: Pairs = ()) -> Response:
        """HTML in UTF-8. The text is sent as it is: escape what a user typed."""
        return cls(body, status, headers, HTML)

    @classmethod
    def json(cls, body: object, status: int = 200, headers: Pairs = ()) -> Response:
        """Any value that msgspec can write as JSON, including None, numbers and strings.

        >>> Response.json(None).body
        b'null'
        """
        return cls(json_octets(body), status, headers, JSON)

    @classmethod
    def redirect(cls, location: str, status: int = 302, headers: Pairs = ()) -> Response:
        """Sends the client elsewhere. What a URI cannot hold is percent-encoded; a relative location is left so.

        Raises ValueError for a status that is no redirection. Check a location that came from a client: it may lead
        to another site.

        >>> Response.redirect("/café").headers
        (('Location', '/caf%C3%A9'),)
        """
        if status not in (301, 302, 303, 307, 308):
            raise ValueError(f"a redirection has the status 301, 302, 303, 307 or 308, not {status!r}")
        response = cls(None, status, headers)
        response.add_header("Location", quote(location, safe="%:/?#[]@!$&'()*+,;="))
        return response

    def __repr__(self) -> str:
        return f"<Response {self.status}, {len(self._body)} octets>"


def body_octets(body: object) -> tuple[bytes, str]:
    """The body's octets and its Content-Type, "" for None. Raises TypeError for a type that is no body."""
    if body is None:
        return b"", ""
    if isinstance(body, str):
        return body.encode("utf-8"), TEXT
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), BYTES
    if is_json(body):
        return json_octets(body), JSON
    raise TypeError(
        f"a body cannot be {type(body).__name__}; "
        "it may be str, bytes, dict, list, a dataclass, a msgspec.Struct or None (Response.json takes other values)"
    )


def is_json(value: object) -> bool:
    """Whether a value of this type is sent as JSON without being asked to."""
    return isinstance(value, (dict, list, msgspec.Struct)) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )
