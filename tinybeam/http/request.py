"""A request, decoded straight from the engine's batch.

Owns:  the order of the request term (native/include/tinybeam.h) and the views of it that handlers use.
Knows: MessagePack through msgspec; RFC 3986 for paths and queries.
Never: work at creation: whatever can be worked out later is a property, and is.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import IO, Any, ClassVar, TypeVar, overload
from urllib.parse import unquote

import msgspec

from tinybeam.errors import HTTPError
from tinybeam.http.body import Body, BodyParts
from tinybeam.http.charset import charset_of, decoded
from tinybeam.http.fields import Pairs, field_octets_of
from tinybeam.http.headers import Headers
from tinybeam.http.lazy import lazy
from tinybeam.http.query import QueryParams
from tinybeam.http.response import Response
from tinybeam.http.wire import NoWire, Wire

T = TypeVar("T")


# `dict=True` gives `lazy` its place; the dict is only made when something is kept in it, and costs nothing until then.
class Request(msgspec.Struct, array_like=True, frozen=True, eq=False, dict=True):
    """One request. It is a value: it cannot be changed, and it stays valid after it was answered.

    The fields named `..._raw` are as sent; use `path`, `query_string`, `headers` and `peer` instead.

    >>> request = Request(handle=7, method="GET", path_raw="/caf%C3%A9", query_raw="page=2")
    >>> request.path, request.query["page"], request.target
    ('/café', '2', '/caf%C3%A9?page=2')
    """

    handle: int
    method: str
    path_raw: str
    query_raw: str | None = None
    fields_raw: bytes = b"\n"
    peer_raw: bytes = b""
    prefix: str = ""
    body: bytes = b""
    trailers_raw: bytes = b"\n"
    # Its head alone: the engine asks whether the body is wanted. No handler sees such a request; a guard may.
    offered: bool = False
    # No part of the term, so it stays the last one: what `before_send` was given. A field is the cheapest to look at.
    before_sends: Any = None

    # A server has a class of its own, with the wire that its requests come by.
    _wire: ClassVar[Wire] = NoWire()

    @property
    def id(self) -> str:
        """A short name for logs: the handle in 16 hexadecimal digits. An engine uses it once."""
        return f"{self.handle:016x}"

    @property
    def path(self) -> str:
        """The path with its %XX decoded as UTF-8; octets that are not UTF-8 become U+FFFD.

        An encoded "/" (%2F) looks like any other here; the router splits before it decodes.
        """
        return unquote(self.path_raw, "utf-8", "replace")

    @property
    def query_string(self) -> str:
        """What follows the first "?" of the target, as sent; "" where nothing does."""
        return self.query_raw or ""

    @property
    def target(self) -> str:
        """The request target as sent (RFC 9112 section 3.2): "/a?b", "http://host/a", "*" or "host:port"."""
        query = "" if self.query_raw is None else f"?{self.query_raw}"
        return f"{self.prefix}{self.path_raw}{query}"

    @property
    def peer(self) -> tuple[str, int] | None:
        """The address and port at the other end of the connection; None on a unix socket.

        Behind a proxy that is the proxy.
        """
        raw = self.peer_raw
        if not raw:
            return None
        family = socket.AF_INET if len(raw) == 6 else socket.AF_INET6
        return socket.inet_ntop(family, raw[2:]), int.from_bytes(raw[:2], "big")

    @lazy
    def query(self) -> QueryParams:
        """The query's parameters, decoded."""
        return QueryParams(self.query_string)

    @lazy
    def headers(self) -> Headers:
        """The header fields; names compare without case."""
        return Headers(self.fields_raw)

    @lazy
    def trailers(self) -> Headers:
        """The fields that came after a chunked body; empty where there were none.

        They are what the client says, and are never merged with the headers (RFC 9110 section 6.5.1).
        """
        return Headers(self.trailers_raw)

    @lazy
    def _body(self) -> Body:
        return Body(self.body)

    def stream(self) -> BodyParts:
        """The body in parts, for `for` or, in an `async def`, `async for`: bytes, as many as have come, none of it
        twice. Only with `stream=True` on the route does the handler run before the body has come.

        While a part is waited for: raises ClientDisconnected when the client leaves, HTTPError 400 for a malformed
        body, 408 for a slow one, 413 for one that is too long, 431 for its trailers; let them through.
        """
        return BodyParts(self._body)

    def read(self, most: int = -1) -> bytes:
        """So many octets of the body, or all that are left; fewer only at its end, then none.

        Raises what `stream` raises, and RuntimeError where it would hold up an event loop.
        """
        return self._body.read(most)

    def save(self, path: str | os.PathLike[str]) -> int:
        """Saves the body, or what is left of it, as a file of this name, and gives its length.

        The file has the name when it is whole, and replaces one that had it; when anything is raised, nothing is left.
        Raises what `read` raises, OSError, and HTTPError 507 when the disk is full.
        """
        return self._body.save(path)

    def file(self) -> IO[bytes]:
        """The body, or what is left of it, as a temporary file, which goes when it is closed; up to 256 KiB in memory.

        Raises what `save` raises.
        """
        return self._body.file()

    @property
    def disconnected(self) -> bool:
        """Whether the client has left, so that the work for it can stop. It may have only said that it sends no more,
        which looks the same; an answer is sent to it all the same."""
        return self._wire.has_left(self.handle)

    def early_hints(self, headers: Pairs) -> None:
        """Tells the client fields ahead of the answer, as "103 Early Hints" (RFC 8297): Link, mostly.

        Nothing for a client that cannot take them (HTTP/1.0) or has others of its requests answered first. Raises what
        `Response` raises for headers that cannot be sent.
        """
        self._wire.hint(self.handle, field_octets_of(headers))

    @lazy
    def assigns(self) -> dict[str, Any]:
        """What plugs leave for those who come after them: `request.assigns["user"] = user`."""
        return {}

    def before_send(self, function: Callable[[Response], Response]) -> None:
        """Has `function` see the response, and return it or another one, before anything of it is sent.

        Those that were registered last are called first. They see what the handler returned as a Response of their own,
        and the answers to errors too: an HTTPError's, the 500 of a crash. A body in parts is still a source then. When
        one raises, that is answered and reported as if the handler had raised it, and no other is called. They do not
        see what an engine answers by itself (a 504, say). Once the answer was begun it is too late: none is called.
        """
        if self.before_sends is None:
            msgspec.structs.force_setattr(self, "before_sends", [])
        self.before_sends.append(function)

    def text(self) -> str:
        """The body as text in the charset of its Content-Type, else UTF-8.

        Raises HTTPError 415 for a charset that is not known, 400 for octets that are not in it.
        """
        return decoded(self.body, charset_of(self.headers.get("content-type")))

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, type: type[T]) -> T: ...
    def json(self, type: Any = Any) -> Any:
        """The body as JSON; with a type (a msgspec.Struct, a dataclass, `list[int]`, ...) as a value of that type.

        Raises HTTPError 400, with a message that says where, for a body that is not JSON or not of the type. The
        Content-Type is not looked at.
        """
        try:
            return msgspec.json.decode(self.body, type=type)
        except msgspec.ValidationError as error:
            raise HTTPError(400, f"the JSON body is not as expected: {error}") from error
        except RecursionError:
            raise HTTPError(400, "the JSON body is nested too deeply") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HTTPError(400, f"the body is not JSON: {error}") from error

    def __repr__(self) -> str:
        """Neither the query, the headers nor the body: they may hold secrets, and what is printed ends up in logs."""
        return f"<Request {self.id} {self.method} {self.path_raw}>"
