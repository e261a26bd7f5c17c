"""A request whose handler is called before its body has come.

Owns:  the way from its head to its body.
Knows: that who asks for `body` after all wants all of it.
Never: reads before it is asked to: until then the client has not been told to send.
"""

from __future__ import annotations

from tinybeam.http.body import Body
from tinybeam.http.headers import Headers
from tinybeam.http.lazy import lazy
from tinybeam.http.request import Request


class StreamedRequest(Request, frozen=True, eq=False, dict=True):
    """The same to its handler as any other: `body`, `text()` and `json()` wait for the whole."""

    @lazy
    def _body(self) -> Body:
        raise RuntimeError("a streamed request was made without its body")

    @lazy
    def trailers(self) -> Headers:
        """The fields that came after the body. Raises RuntimeError before that was read to its end."""
        return Headers(self._body.trailers())


def _whole(self: StreamedRequest) -> bytes:
    """The whole body. What was read of it in parts before is not in it."""
    kept: bytes | None = self.__dict__.get("body")
    if kept is None:
        kept = self.__dict__["body"] = self._body.read()
    return kept


# In place of the field, which is empty here; as a default in the class it would be one of the field's.
StreamedRequest.body = property(_whole)  # type: ignore[assignment]


def streamed(cls: type[StreamedRequest], request: Request, body: Body) -> StreamedRequest:
    """The request that was offered, with the body that is on its way."""
    made = cls(
        request.handle,
        request.method,
        request.path_raw,
        request.query_raw,
        request.fields_raw,
        request.peer_raw,
        request.prefix,
    )
    made.__dict__["_body"] = body
    return made
