"""What becomes of a request that was handed over: its answer, its deadline, or a client that has left.

Owns:  what each kind of answer does to its exchange, and the offer of a body.
Knows: the chain of a connection's exchanges; streams and inflows.
Never: parses; lets a connection that is gone keep an answer.
"""

from __future__ import annotations

from tinybeam import contract
from tinybeam.portable import chain, inflow, news, stream
from tinybeam.portable.answers import Reply, plain_reply
from tinybeam.portable.room import Room
from tinybeam.portable.state import ConnectionState, Exchange, Kind, StreamState
from tinybeam.portable.timers import NEVER


def answer(room: Room, exchange: Exchange, reply: Reply) -> None:
    """Spends an exchange that was taken: its answer goes to the wire, or waits for its turn."""
    connection = exchange.connection
    if connection is None:
        if reply.cargo is not None:
            reply.cargo.close()
        if reply.in_parts:
            stream.on_disconnect(room, exchange)
        else:
            news.release(room, exchange)
        return
    room.touch(connection)
    if reply.wants_body:
        refusal = _grant(room, connection, exchange, reply.body_bytes_max)
        if refusal is None:
            return
        reply = refusal
    elif reply.status == 101:
        reply = Reply(500)  # no protocol can be switched to here
    if chain.awaits_body(connection, exchange) and not (reply.in_parts and exchange.inflow is not None):
        chain.decline_body(room, connection, exchange)
    if reply.in_parts:
        stream.begin(room, connection, exchange, reply)
    elif connection.exchanges[0] is exchange:
        chain.write(room, connection, exchange.kind, reply)
        chain.finish(room, connection)
    else:
        chain.keep(room, exchange, reply)


def offer(room: Room, connection: ConnectionState, kind: Kind) -> Exchange | None:
    """Opens the exchange of a request whose head alone is handed over; it is the only one unanswered."""
    exchange = chain.open_exchange(room, connection, kind)
    if exchange is not None:
        exchange.offered = exchange.bodied = True
    return exchange


def flow(room: Room) -> None:
    """Has the bodies that readers want read, or read on; their handles stay."""
    while (wanted := inflow.next_wanted(room)) is not None:
        exchange = wanted.exchange
        connection = None if exchange is None else exchange.connection
        if exchange is None or connection is None or not chain.awaits_body(connection, exchange):
            continue  # its end has been told
        request = connection.request
        assert request is not None
        room.touch(connection)
        if not request.offered:
            request.held = False
        elif request.message.announced > wanted.bytes_max:
            inflow.end(room, exchange, 413)
        else:
            request.message.allow(wanted.bytes_max)
            request.offered = exchange.offered = False
            request.flowing = True
            # After the answer's head it is too late.
            connection.continue_due = request.expects and exchange.stream is StreamState.NONE


def extend(room: Room, exchange: Exchange) -> None:
    """Its body has got on: its deadline is counted from here."""
    if exchange.due_ms != NEVER:
        exchange.due_ms += room.now_ms - exchange.since_ms
        exchange.since_ms = room.now_ms


def set_timeout(room: Room, handle: int, timeout_ms: int) -> None:
    """Gives an exchange another deadline, counted from when it was handed over; 0 is none."""
    exchange = room.handles.find(handle)
    if exchange is None:
        return
    exchange.due_ms = exchange.since_ms + timeout_ms if timeout_ms else NEVER
    if timeout_ms:
        room.exchange_timers.set(exchange, exchange.due_ms)


def on_timer(room: Room, exchange: Exchange) -> None:
    """The timer of an exchange has come up: if its deadline is met, it is answered 504 here, and noted."""
    if not room.handles.awaits(exchange) or exchange.due_ms == NEVER:
        return
    if room.now_ms < exchange.due_ms:
        room.exchange_timers.set(exchange, exchange.due_ms)
        return
    handle = exchange.handle
    code, _ = room.handles.take(handle)
    if code not in (contract.OK, contract.EDISCONNECTED):
        return  # its answer has just been given, and is on its way
    room.stats["requests_overdue"] += 1
    room.overdue.append((handle, room.now_ms - exchange.since_ms))
    connection = exchange.connection
    if connection is not None:
        connection.closing = True  # what else it has sent would only queue up behind
        exchange.keep_alive = exchange.keep_alive and connection.exchanges[-1] is not exchange
    answer(room, exchange, plain_reply(504, "the request has taken too long\n"))


def on_disconnect(room: Room, connection: ConnectionState) -> None:
    """The client has left: every exchange of the connection is told."""
    for exchange in connection.exchanges:
        streams = exchange.stream is not StreamState.NONE
        ours = exchange.answer or exchange.granted  # nobody has its handle
        if not (streams or ours):
            exchange.connection = None
        inflow.close(room, exchange)  # after which nobody can open one
        if streams:
            stream.on_disconnect(room, exchange)
        elif ours:
            news.release(room, exchange)
    connection.exchanges.clear()
    connection.unsafe_open = 0


def _grant(room: Room, connection: ConnectionState, exchange: Exchange, bytes_max: int) -> Reply | None:
    """The body of an offered request is wanted. Gives the answer that the request has to get instead, if any."""
    request = connection.request
    if not exchange.offered or request is None:
        return Reply(500)
    if request.message.announced > bytes_max:
        return plain_reply(413, "the body is larger than this takes\n")
    if not room.handles.reopen(exchange):
        return Reply(500)
    inflow.close(room, exchange)  # it is read as a whole
    request.message.allow(bytes_max)
    request.offered = exchange.offered = False
    exchange.granted = True
    exchange.due_ms = NEVER  # until the body is whole, the client is the one that is waited for
    connection.continue_due = request.expects
    return None
