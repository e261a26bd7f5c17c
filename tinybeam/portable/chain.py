"""The chain of a connection's exchanges: whose turn it is on the wire.

Owns:  the order of answers (RFC 9112 section 9.3.2), and whether one ends the connection.
Knows: handles, the response's head; that the first of the chain is the only one that may write.
Never: parses; decides what an answer is.
"""

from __future__ import annotations

from typing import Final

from tinybeam.portable import inflow, news, response
from tinybeam.portable.answers import Reply
from tinybeam.portable.room import Room
from tinybeam.portable.state import ConnectionState, Exchange, Kind, StreamState

# Of a body that nobody reads, so much is read and thrown away for the connection's sake.
_DISCARD_BYTES_MAX: Final = 256 * 1024


def open_exchange(room: Room, connection: ConnectionState, kind: Kind) -> Exchange | None:
    """Opens a handle, and its deadline, for a request at the end of the chain. None: no slot is free."""
    exchange = room.handles.open()
    if exchange is None:
        return None
    exchange.connection = connection
    exchange.head, exchange.safe, exchange.http10, exchange.keep_alive = kind
    begin(room, exchange)
    connection.exchanges.append(exchange)
    connection.unsafe_open += not kind.safe
    return exchange


def begin(room: Room, exchange: Exchange) -> None:
    """The exchange is handed over now."""
    most_ms = room.config.request_timeout_ms
    exchange.since_ms = room.now_ms
    exchange.due_ms = room.now_ms + most_ms
    room.exchange_timers.set_no_later(exchange, exchange.due_ms, room.now_ms)


def open_ready(room: Room, connection: ConnectionState, kind: Kind, reply: Reply) -> bool:
    """The same for an answer that is known already: it waits behind those before it. False: no slot is free."""
    exchange = open_exchange(room, connection, kind)
    if exchange is None:
        return False
    room.handles.take(exchange.handle)  # nobody was ever given it
    keep(room, exchange, reply)
    return True


def write(room: Room, connection: ConnectionState, kind: Kind, reply: Reply) -> None:
    """Writes a response to the wire now; the caller has seen to it that it is its turn."""
    framing = response.length_field(reply.status, reply.body_bytes)
    write_head(room, connection, kind, reply, framing)
    body = _body(kind, reply)
    if body:
        connection.queued.append(body)
    if reply.cargo is not None:
        connection.queued.append(reply.cargo)


def write_head(room: Room, connection: ConnectionState, kind: Kind, reply: Reply, framing: bytes) -> None:
    """The same of a response's head alone."""
    last = len(connection.exchanges) <= 1
    done = not connection.inbox and connection.request is None
    if not kind.keep_alive or (last and (connection.closing or (room.draining and done))):
        connection.closing = True
        options = response.CLOSE
    else:
        options = _options(kind)
    connection.queued.append(response.write_head(room.clock, reply.status, reply.fields, framing, options))


def keep(room: Room, exchange: Exchange, reply: Reply) -> None:
    """Keeps a whole response for later, because an earlier request is not answered yet."""
    keep_head(room, exchange, reply, response.length_field(reply.status, reply.body_bytes))
    exchange.answer += _body(exchange.kind, reply)
    exchange.cargo = reply.cargo


def keep_head(room: Room, exchange: Exchange, reply: Reply, framing: bytes) -> None:
    """The same of a response's head alone.

    Whether it ends the connection is known already; only draining may still change that, and then its turn is the
    connection's last, which is closed after it.
    """
    options = _options(exchange.kind) if exchange.keep_alive else response.CLOSE
    exchange.answer = response.write_head(room.clock, reply.status, reply.fields, framing, options)


def finish(room: Room, connection: ConnectionState) -> None:
    """The first answer is on the wire: those behind it go there too as far as they have come."""
    pop(room, connection)
    while connection.exchanges and connection.exchanges[0].answer:
        exchange = connection.exchanges[0]
        connection.closing = connection.closing or not exchange.keep_alive
        connection.queued.append(exchange.answer)
        exchange.answer = b""
        if exchange.cargo is not None:
            connection.queued.append(exchange.cargo)
            exchange.cargo = None
        if exchange.stream is StreamState.KEPT:
            exchange.stream = StreamState.OPEN
            return  # more of it is to come
        pop(room, connection)


def pop(room: Room, connection: ConnectionState) -> None:
    """Takes the first exchange off the chain."""
    if awaits_body(connection, connection.exchanges[0]):
        exchange = connection.exchanges[0]
        decline_body(room, connection, exchange)  # too late to say so in its head
        connection.closing = connection.closing or not exchange.keep_alive
    exchange = connection.exchanges.pop(0)
    inflow.close(room, exchange)
    connection.unsafe_open -= not exchange.safe
    news.release(room, exchange)


def awaits_body(connection: ConnectionState, exchange: Exchange) -> bool:
    """Whether the body of this exchange's request has not come, or not all of it."""
    return connection.request is not None and connection.request.exchange is exchange


def decline_body(room: Room, connection: ConnectionState, exchange: Exchange) -> None:
    """A request is answered without the rest of its body, which may be on its way. Little of it is thrown away when it
    comes; with more, or with what the client holds back until it is asked, nothing after it can be read."""
    request = connection.request
    assert request is not None
    held_back = request.expects and (request.offered or connection.continue_due)
    lasts = exchange.keep_alive and not connection.closing and not room.draining
    exchange.offered = connection.continue_due = False
    if lasts and not held_back and request.message.left <= _DISCARD_BYTES_MAX:
        request.exchange = None
        request.offered = request.flowing = request.held = False
        request.discard = True
        return
    exchange.keep_alive = False
    connection.lingered += 1
    connection.request = None


def _options(kind: Kind) -> bytes:
    return response.KEEP_ALIVE if kind.http10 else response.PERSIST


def _body(kind: Kind, reply: Reply) -> bytes:
    return b"" if kind.head or not response.has_body(reply.status) else reply.body
