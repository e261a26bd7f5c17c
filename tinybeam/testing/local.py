"""A client that needs no socket: it makes a Request, runs its route, and does what the engine would do to the answer.

Owns: the engine's duties, in Python: content types of short answers, Content-Length, no body for HEAD, 204 and 304.
Knows: the terms of native/include/tinybeam.h, and how the server runs one request.
Never: parses or limits as the engine does; what it would refuse (a body that is too large) is not refused here.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import re
import struct
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tinybeam.files import Asked, Mounts, Parcel, open_parcel
from tinybeam.http import (
    KIND_BYTES,
    KIND_HTML,
    KIND_JSON,
    KIND_TEXT,
    Answer,
    Headers,
    Request,
    Response,
    file_fields,
    has_body,
)
from tinybeam.process import Wait
from tinybeam.router import Endpoint
from tinybeam.server import App, EventLoop, plan, refused, run_request
from tinybeam.testing.client import Client, Fields
from tinybeam.testing.reply import Reply

_CONTENT_TYPES: Final = {
    KIND_TEXT: "text/plain; charset=utf-8",
    KIND_JSON: "application/json",
    KIND_BYTES: "application/octet-stream",
    KIND_HTML: "text/html; charset=utf-8",
}

_PREFIX: Final = re.compile("https?://[^/]*", re.IGNORECASE)
_OWS: Final = " \t"
_READING: Final = ("GET", "HEAD")

# 127.0.0.1, port 49152: the first port that is never assigned to anyone (RFC 6335 §6).
_PEER: Final = struct.pack("!H4B", 49152, 127, 0, 0, 1)


class LocalClient(Client):
    """A client of an app; its handlers run in the caller's thread, those that are `async def` in an event loop's, which
    ends with the client. Raises ConfigError when the routes are wrong.

    A handler that raises answers 500 and leaves a crash report in the log, as on a server. What runs beside a server is
    not started here; the fixture `local_client` starts it.
    """

    host = "localhost"

    def __init__(self, app: App) -> None:
        self._table = plan(app).table
        self._mounts = Mounts()
        for mount in self._table.mounts:
            self._mounts.add(*mount)
        for endpoint in self._table.endpoints:
            endpoint.streams = _Whole()
        self._handles = itertools.count(1)
        # Made when it is needed.
        self._loop: EventLoop | None = None
        self._answers: queue.SimpleQueue[list[Answer]] = queue.SimpleQueue()

    def exchange(self, method: str, target: str, fields: Fields, body: bytes) -> Reply:
        prefix, path, query = _split(target)
        request = Request(next(self._handles), method, path, query, _block(fields), _PEER, prefix, body)
        answered = self._from_mount(request) or run_request(self._table, request, self._run_async)
        if answered is None:
            raise RuntimeError("an answer was begun that nobody goes on with")
        return _reply(method, answered)

    def close(self) -> None:
        """Ends the tasks that async handlers have left behind, and their event loop."""
        self._mounts.close()
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def _from_mount(self, request: Request) -> Answer | None:
        """What the engine answers with a file; None for what comes to the routes, constants among it."""
        path = request.path_raw
        if request.method not in _READING or any(constant.path == path for constant in self._table.constants):
            return None
        octets = path.encode("utf-8", "replace")
        mount = self._mounts.find(octets)
        if mount is None:
            return None
        head = request.method == "HEAD"
        query = None if request.query_raw is None else request.query_raw.encode("utf-8", "replace")
        parcel = mount.answer(octets, query, Asked.read(request.fields_raw, head=head))
        return None if parcel is None else _unpacked(request, parcel)

    def _run_async(self, endpoint: Endpoint, request: Request, values: tuple[Any, ...]) -> Answer:
        if self._loop is None:
            self._loop = EventLoop(self._answers.put)
            self._loop.start()
            weakref.finalize(self, self._loop.close)
        self._loop.deal(endpoint, request, values)
        while True:
            for answer in self._answers.get():
                if answer[0] == request.handle:  # and not a late one, of a request that was ended before
                    return answer


class _Whole:
    """Makes one answer of a file, or of all the parts of a streamed body; one without end has none."""

    @staticmethod
    def begin(request: Request, endpoint: Endpoint, response: Response) -> Answer:
        """Reads the file; or runs the source to its end, or to where it waits for a message that nobody would send."""
        if response.from_file is not None:
            try:
                return _file(request, response)
            except OSError as error:
                raise refused(request, endpoint, response, error) from error
        octets = []
        source: Any = response.source
        for part in _collected(source) if hasattr(source, "__aiter__") else source:
            if not isinstance(part, Wait):
                octets.append(response.to_part(part))
            elif part.seconds is None:
                raise RuntimeError(f"{endpoint.route}: its stream waits for messages; use the fixture `client`")
        encoder = response.encoder
        if encoder is not None:
            octets = [*(encoder.part(part) for part in octets if part), encoder.end()]
        return request.handle, response.status, response.field_octets(), b"".join(octets)


def _file(request: Request, response: Response) -> Answer:
    file = response.from_file
    assert file is not None
    fields = request.fields_raw if request.method in _READING else b""
    asked = Asked.read(fields, head=request.method == "HEAD")
    return _unpacked(request, open_parcel(file, file_fields(response.headers), response.status, asked))


def _unpacked(request: Request, parcel: Parcel) -> Answer:
    """The octets of a file, or as many zeros for a HEAD, of which only their number matters."""
    octets = parcel.content
    if parcel.cargo is not None:
        octets = b"".join(iter(parcel.cargo.take, b""))
        parcel.cargo.close()
    return request.handle, parcel.status, parcel.fields, bytes(parcel.length) if request.method == "HEAD" else octets


def _collected(source: Any) -> list[Any]:
    """All that an async iterable gives. In a thread of its own: this one may be inside an event loop."""

    async def collect() -> list[Any]:
        return [part async for part in source]

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, collect()).result()


def _split(target: str) -> tuple[str, str, str | None]:
    """The prefix, path and query of the request term. A target without a path ("http://host") has the path "/".

    >>> _split("http://localhost?page=2"), _split("/a?")
    (('http://localhost', '/', 'page=2'), ('', '/a', ''))
    """
    head, mark, query = target.partition("?")
    matched = _PREFIX.match(head)
    prefix = matched[0] if matched else ""
    path = head[len(prefix) :] or "/"
    return prefix, path, query if mark else None


def _block(fields: Fields) -> bytes:
    """The header fields in the form of the request term."""
    lines = [f"{name.lower()}:{value.strip(_OWS)}\n" for name, value in fields]
    return "".join(["\n", *lines]).encode("latin-1")


def _reply(method: str, answer: Answer) -> Reply:
    """What a client would receive of this answer."""
    content: str | bytes | None
    if len(answer) == 3:
        _, kind, content = answer
        status, fields = 200, [("Content-Type", _CONTENT_TYPES[kind])]
    else:
        _, status, octets, content = answer
        lines = octets.decode("latin-1").split("\r\n")[:-1]
        fields = [(name, value) for name, _, value in (line.partition(":") for line in lines)]
    body = content.encode() if isinstance(content, str) else content or b""
    if not has_body(status):
        body = b""
    else:
        fields.append(("Content-Length", str(len(body))))
    return Reply(status, Headers.of(fields), b"" if method == "HEAD" else body)
