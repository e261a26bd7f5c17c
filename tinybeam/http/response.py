"""A response, checked when it is made.

Owns:  the default Content-Type of each kind of body, and the class that handlers build their answers with.
Knows: msgspec's JSON; `fields` for what may be sent.
Never: a field that frames the message: length, connection and date are the engine's.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any
from urllib.parse import quote

import msgspec

from tinybeam.http.event import EVENT_STREAM, event_octets
from tinybeam.http.fields import Pairs, checked_field, checked_fields, field_octets
from tinybeam.http.file import File, attachment, check_file_field
from tinybeam.http.parts import Encoder, Source, part_octets
from tinybeam.http.status import checked_status, has_body

BYTES = "application/octet-stream"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
HEARTBEAT_S = 15.0
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

    __slots__ = ("_body", "_fields", "_status", "encoder", "from_file", "heartbeat_s", "length", "source", "to_part")

    from_file: File | None
    """The file that is the body; whoever sends it opens it, and says its length, its type and its validators."""

    source: Source | None
    """Where the parts of a streamed body come from."""
    length: int | None
    """How many octets a streamed body will have, where that is known."""
    to_part: Callable[[Any], bytes]
    """Makes octets of what the source gives."""
    encoder: Encoder | None
    """Makes of those octets what is sent, where that is not the same."""
    heartbeat_s: float | None
    """After how much silence a stream of events is given a sign of life."""

    def __init__(
        self, body: object = None, status: int = 200, headers: Pairs = (), content_type: str | None = None
    ) -> None:
        self.from_file = None
        self.source = None
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
        """The octets that will be sent, whatever the body was made from; none of a file or of a body in parts."""
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
        self._fields.append(self._checked(name, value))

    def set_header(self, name: str, value: str) -> None:
        """Puts a field in the place of all others of that name. Raises ValueError for one that cannot be sent."""
        field = self._checked(name, value)
        self.remove_header(name)
        self._fields.append(field)

    def _checked(self, name: str, value: str) -> tuple[str, str]:
        field = checked_field(name, value)
        if self.from_file is not None:
            check_file_field(*field)
        return field

    def remove_header(self, name: str) -> None:
        """Removes every field of that name; nothing where there is none."""
        key = name.lower()
        self._fields = [field for field in self._fields if field[0].lower() != key]

    def header(self, name: str) -> str | None:
        """The value of a field, several of the name joined by ", "; None where there is none.

        >>> Response("hi").header("content-type")
        'text/plain; charset=utf-8'
        """
        key = name.lower()
        values = [value for field, value in self._fields if field.lower() == key]
        return ", ".join(values) if values else None

    def copy(self) -> Response:
        """Another one like it, whose fields can be changed alone. A source is the same for both."""
        other = copy.copy(self)
        other._fields = self._fields.copy()
        return other

    def replace_body(self, body: bytes) -> None:
        """Puts other octets in place of the body; the fields stay as they are, so see that they still hold.

        Raises ValueError where the body comes in parts or is a file, or the status has none.
        """
        if self.source is not None or self.from_file is not None or not has_body(self._status):
            raise ValueError(f"there is no body to be replaced in {self!r}")
        self._body = bytes(body)

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

    @classmethod
    def stream(
        cls,
        source: Source,
        status: int = 200,
        headers: Pairs = (),
        content_type: str = BYTES,
        length: int | None = None,
    ) -> Response:
        """A body that comes in parts: what the iterable, or async iterable, gives, str or bytes, is sent as it comes.

        It is only asked for more while the client takes what there is, and closed when the client has left: a generator
        is thrown ClientDisconnected where it waits. `length` is said where it is known; a source that then gives more
        or less, or that raises, ends the connection, so that no client takes the part for the whole. A generator may
        yield `Wait`. Raises ValueError for a status that has no body, TypeError for a source that cannot be iterated.
        """
        if not isinstance(source, Iterable | AsyncIterable) or isinstance(source, str | bytes | bytearray | memoryview):
            raise TypeError(f"the source of a stream is an iterable of str or bytes, not {type(source).__name__}")
        if not has_body(checked_status(status)):
            raise ValueError(f"a {status} answer has no body; leave the source out")
        if length is not None and (type(length) is not int or length < 0):
            raise ValueError(f"length is {length!r}; it must be a whole number, 0 or more, or None")
        response = cls(None, status, headers)
        if not any(name.lower() == "content-type" for name, _ in response._fields):
            response.add_header("Content-Type", content_type)
        response.source, response.length, response.to_part = source, length, part_octets
        response.encoder = response.heartbeat_s = None
        return response

    @classmethod
    def events(cls, source: Source, headers: Pairs = (), heartbeat_s: float | None = HEARTBEAT_S) -> Response:
        """Server-sent events: an Event, or anything else as the data of one, each as the source gives it.

        After `heartbeat_s` of silence a comment is sent, so that neither proxies nor we take a quiet stream for a dead
        one. A server that drains ends such streams at once; the browser connects again, to whoever is there then.
        """
        response = cls.stream(source, 200, headers, EVENT_STREAM)
        response.add_header("Cache-Control", "no-store")
        response.to_part, response.heartbeat_s = event_octets, heartbeat_s
        return response

    @classmethod
    def file(
        cls,
        path: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] | None = None,
        status: int = 200,
        headers: Pairs = (),
        content_type: str | None = None,
        filename: str | None = None,
        cache_control: str | None = None,
        precompressed: bool = False,
    ) -> Response:
        """A file, sent by the engine: with ETag and Last-Modified, on conditions and in ranges for GET and HEAD.

        It is opened when the handler has returned. One that is not there, or is a directory or a device, is a 404, one
        that may not be read a 403, and the log says which; no Python waits while it is sent. A path that a client has
        a part in needs a `root`: then no name leads out of that directory, or to one that begins with a dot.

        - `content_type` is the type; without it the name's end says it: the `filename`'s, or the path's.
        - `filename` has the client save the file, under this name.
        - `cache_control` is said of the file, and not of a refused condition or range.
        - `precompressed`: path.br, path.zst and path.gz are sent in its place to clients that take them.

        With a `status` other than 200, such as that of an error page, the file is sent whole, without validators.
        Raises ValueError for a status that has no body and for a header that is said of a file by itself.
        """
        if not has_body(checked_status(status)) or status in (205, 206):
            raise ValueError(f"a file is no answer with the status {status}; 206 and 304 are said by themselves")
        response = cls(None, status, headers)
        response.from_file = File.of(path, root, filename, precompressed=precompressed)
        for pair in response._fields:
            check_file_field(*pair)
        if content_type is not None:
            response.set_header("Content-Type", content_type)
        if cache_control is not None:
            response.add_header("Cache-Control", cache_control)
        if filename is not None:
            response.add_header("Content-Disposition", attachment(filename))
        return response

    def __repr__(self) -> str:
        if self.from_file is not None:
            return f"<Response {self.status}, the file {self.from_file}>"
        if self.source is not None:
            return f"<Response {self.status}, in parts>"
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
