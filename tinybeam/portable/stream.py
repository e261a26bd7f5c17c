"""Answers that come in parts.

Owns:  what of a streamed answer goes on the wire when.
Knows: how the end of a body is told (RFC 9112 sections 6.3 and 7.1), and that an answer may have to wait for its turn.
Never: asks for more while the client has much to read; lets a client take a part for the whole.
"""

from __future__ import annotations

from typing import Final

from tinybeam import contract
from tinybeam.http import KIND_ASK, KIND_CUT, KIND_END, KIND_HINTS, KIND_LAST
from tinybeam.portable import chain, news, response
from tinybeam.portable.answers import Part, Reply, plain_reply
from tinybeam.portable.room import Room
from tinybeam.portable.state import ConnectionState, Exchange, StreamState

# What the client has yet to take when more is asked for.
_LOW_BYTES: Final = 32 * 1024
_LAST_CHUNK: Final = b"0\r\n"
_LINE_END: Final = b"\r\n"


def begin(room: Room, connection: ConnectionState, exchange: Exchange, reply: Reply) -> None:
    """Begins the answer of an exchange that was taken."""
    bodiless = not response.has_body(reply.status)
    if reply.length is not None or bodiless:
        framing = response.length_field(reply.status, reply.length or 0)
    else:
        framing = response.UNTIL_CLOSE if exchange.http10 else response.CHUNKED
    bare = exchange.head or bodiless
    if framing == response.UNTIL_CLOSE and not bare:
        exchange.keep_alive = False
    connection.continue_due = False  # after the head it would be too late
    first = connection.exchanges[0] is exchange
    if first:
        chain.write_head(room, connection, exchange.kind, reply, framing)
    else:
        chain.keep_head(room, exchange, reply, framing)
    if bare:
        if first:
            chain.finish(room, connection)
        return  # the handle is stale, and so are its parts
    exchange.chunked = framing == response.CHUNKED
    exchange.left = reply.length
    exchange.stream = StreamState.OPEN if first else StreamState.KEPT
    exchange.asked = True
    room.stats["streams"] += 1


def on_part(room: Room, part: Part) -> int:
    """What has come for a stream, or ahead of an answer. OK, or EBADHANDLE when there is no such stream."""
    if part.kind == KIND_HINTS:
        return _hint(room, part.handle, part.octets)
    exchange = room.handles.find_spent(part.handle)
    if exchange is None or exchange.stream not in (StreamState.KEPT, StreamState.OPEN):
        return contract.EBADHANDLE
    connection = exchange.connection
    assert connection is not None
    room.touch(connection)
    if part.kind == KIND_END:
        _end(room, connection, exchange, part.octets)
    elif part.kind == KIND_CUT or (exchange.left is not None and len(part.octets) > exchange.left):
        _cut(room, connection, exchange)  # or more has come than was announced
    else:
        if exchange.left is not None:
            exchange.left -= len(part.octets)
        exchange.asked = exchange.asked or part.kind == KIND_ASK
        _push_part(connection, exchange, part.octets)
        if part.kind == KIND_LAST:
            _end(room, connection, exchange, b"")
    return contract.OK


def on_disconnect(room: Room, exchange: Exchange) -> None:
    """The client has left."""
    if exchange.stream in (StreamState.KEPT, StreamState.OPEN):
        room.stats["streams"] -= 1
    exchange.connection = None
    exchange.stream = StreamState.GONE
    news.push(room, exchange, contract.NEWS_GONE)


def settle(room: Room, connection: ConnectionState) -> None:
    """The connection is at rest: asks for more, if that was wanted and there is a use for it."""
    if not connection.exchanges:
        return
    exchange = connection.exchanges[0]
    taken = not connection.queued and len(connection.unsent) <= _LOW_BYTES
    if exchange.stream is StreamState.OPEN and exchange.asked and taken:
        exchange.asked = False
        news.push(room, exchange, contract.NEWS_MORE)


def _push(connection: ConnectionState, exchange: Exchange, *octets: bytes) -> None:
    if exchange.stream is StreamState.OPEN:
        connection.queued += octets
    else:
        # It grows in place: what is kept may come in many parts.
        if isinstance(exchange.answer, bytes):
            exchange.answer = bytearray(exchange.answer)
        exchange.answer += b"".join(octets)


def _push_part(connection: ConnectionState, exchange: Exchange, octets: bytes) -> None:
    if not octets:
        return  # an empty chunk would be the end
    if exchange.chunked:
        _push(connection, exchange, b"%x\r\n" % len(octets), octets, _LINE_END)
    else:
        _push(connection, exchange, octets)


def _end(room: Room, connection: ConnectionState, exchange: Exchange, trailers: bytes) -> None:
    if exchange.left:
        _cut(room, connection, exchange)  # less has come than was announced
        return
    if exchange.chunked:
        _push(connection, exchange, _LAST_CHUNK, trailers, _LINE_END)
    is_open = exchange.stream is StreamState.OPEN
    exchange.stream = StreamState.NONE  # what is kept is a whole answer now
    room.stats["streams"] -= 1
    if is_open:
        chain.finish(room, connection)


def _cut(room: Room, connection: ConnectionState, exchange: Exchange) -> None:
    """The answer will never be whole. One that has not begun on the wire can still be another."""
    room.stats["streams"] -= 1
    if exchange.stream is StreamState.KEPT:
        exchange.stream = StreamState.NONE
        chain.keep(room, exchange, plain_reply(500))
        return
    # It stays the first, so that nothing is written after it.
    exchange.stream = StreamState.CUT
    connection.closing = connection.cut = True
    connection.reset = not exchange.chunked and exchange.left is None


def _hint(room: Room, handle: int, fields: bytes) -> int:
    """Sends "103 Early Hints" ahead of an answer that nobody has given yet. Out of turn they would not be early, and
    are left out."""
    exchange = room.handles.find(handle)
    if exchange is None:
        return contract.EBADHANDLE
    connection = exchange.connection
    if connection is None or exchange.http10 or exchange.offered or not fields:
        return contract.OK
    if connection.exchanges[0] is exchange:
        connection.queued += (response.HINTS, fields, _LINE_END)
        room.touch(connection)
    return contract.OK
