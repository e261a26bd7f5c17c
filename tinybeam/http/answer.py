"""What a handler returned, made into an answer term for the engine.

Owns:  the list of results that a handler may return, and the answer terms of tinybeam.h.
Knows: `Response`, `HTTPError` and msgspec's JSON.
Never: a half-made answer: a result that cannot be sent raises here, while its request can still be told so.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tinybeam.errors import HTTPError
from tinybeam.http.parts import InParts, is_source
from tinybeam.http.response import Response, is_json, json_octets
from tinybeam.http.status import has_body, reason

# The content kinds of a short answer; native/include/tinybeam.h has the same numbers.
KIND_TEXT = 1
KIND_JSON = 2
KIND_BYTES = 3
KIND_HTML = 4
# No answer yet: the body of an offered request is wanted, up to so many octets.
KIND_CONTINUE = 100
# An answer that comes in parts: its beginning, a part, one after which more is wanted, its end, its breaking off.
KIND_STREAM = 101
KIND_PART = 102
KIND_ASK = 103
KIND_END = 104
KIND_CUT = 105
# Fields that are sent ahead of the answer.
KIND_HINTS = 106
# The last part, and the end.
KIND_LAST = 107
LENGTH_UNKNOWN = (1 << 64) - 1

Continue = tuple[int, int, int]
Answer = tuple[int, int, str | bytes] | tuple[int, int, bytes, str | bytes | None]
Beginning = tuple[int, int, int, bytes, int]

Result = Any  # What a handler may return: see `answer`. A type that listed it would refuse TypedDicts and dataclasses.


def answer(handle: int, result: object) -> Answer:
    """The answer term for what a handler returned, or for the HTTPError that it raised.

    A handler may return str (text/plain), bytes, bytearray or memoryview, a dict, list, dataclass or msgspec.Struct
    (JSON), None (204), a Path (that file), a Response, or a tuple (status, body) or (status, headers, body).

    Raises TypeError for anything else, and what `Response` raises; never leaves a result that the engine would refuse.
    Raises InParts for a body that is not here: a Response.stream, an iterator, or a file.

    >>> answer(7, "yay"), answer(7, None)
    ((7, 1, 'yay'), (7, 204, b'', None))
    >>> answer(7, (404, "no such user"))
    (7, 404, b'Content-Type: text/plain; charset=utf-8\\r\\n', b'no such user')
    """
    write = _WRITERS.get(type(result))
    return write(handle, result) if write is not None else _other(handle, result)


def as_response(result: object) -> Response:
    """The same result as a Response, in full; a Response is returned as it is. Raises what `answer` raises.

    >>> as_response((404, "no such user"))
    <Response 404, 12 octets>
    """
    if isinstance(result, Response):
        return result
    if is_source(result):
        return Response.stream(result)  # type: ignore[arg-type]  # it has been looked at
    if isinstance(result, Coroutine):
        raise _unawaited(result)
    if result is None:
        return Response(None, 204)
    if isinstance(result, HTTPError):
        message = result.message or reason(result.status)
        return Response(message if has_body(result.status) else None, result.status, result.headers)
    if type(result) is not tuple:
        return Response.file(result) if isinstance(result, Path) else Response(result)
    if len(result) in (2, 3):
        status, body = result[0], result[-1]
        headers = result[1] if len(result) == 3 else ()
        if isinstance(body, Path):
            return Response.file(body, status=status, headers=headers)
        return Response(body, status, headers)
    raise TypeError(
        f"a handler returned a tuple of {len(result)}; it may return (status, body) or (status, headers, body)"
    )


def _text(handle: int, result: str) -> Answer:
    # A lone surrogate must raise here and not when the whole batch is written; ASCII, the usual case, has none.
    return handle, KIND_TEXT, result if result.isascii() else result.encode("utf-8")


def _bytes(handle: int, result: bytes) -> Answer:
    return handle, KIND_BYTES, result


def _copied(handle: int, result: bytes | bytearray | memoryview) -> Answer:
    return handle, KIND_BYTES, bytes(result)


def _json(handle: int, result: object) -> Answer:
    return handle, KIND_JSON, json_octets(result)


def _none(handle: int, result: None) -> Answer:
    return handle, 204, b"", None


def _full(handle: int, result: object) -> Answer:
    response = as_response(result)
    if response.source is not None or response.from_file is not None:
        raise InParts(response)
    return handle, response.status, response.field_octets(), response.body


def _other(handle: int, result: object) -> Answer:
    """Subclasses of the types in the table, and the types that cannot be listed there."""
    if is_json(result):
        return _json(handle, result)
    if isinstance(result, str):
        # The engine's writer takes only str itself; this is the subclass's text, whatever its __str__ says.
        return _text(handle, str.__str__(result))
    if isinstance(result, (bytes, bytearray, memoryview)):
        return _copied(handle, result)
    if isinstance(result, (Response, HTTPError)):
        return _full(handle, result)
    if is_source(result):
        raise InParts(Response.stream(result))  # type: ignore[arg-type]  # it has been looked at
    if isinstance(result, Path):
        raise InParts(Response.file(result))
    if isinstance(result, Coroutine):
        raise _unawaited(result)
    raise TypeError(
        f"a handler returned {type(result).__name__}; it may return str, bytes, dict, list, a dataclass, "
        "a msgspec.Struct, None, a Path, a Response, (status, body), (status, headers, body) or an iterator of parts"
    )


def _unawaited(result: Coroutine[Any, Any, Any]) -> TypeError:
    result.close()
    return TypeError("a handler that is a `def` returned a coroutine: make it, or the decorator around it, `async def`")


def beginning(handle: int, response: Response) -> Beginning:
    """The term that begins an answer whose body comes in parts."""
    length = LENGTH_UNKNOWN if response.length is None else response.length
    return handle, KIND_STREAM, response.status, response.field_octets(), length


_WRITERS: dict[type, Callable[[int, Any], Answer]] = {
    str: _text,
    bytes: _bytes,
    bytearray: _copied,
    memoryview: _copied,
    dict: _json,
    list: _json,
    type(None): _none,
    Response: _full,
    tuple: _full,
    HTTPError: _full,
}
