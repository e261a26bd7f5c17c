"""From a connection's octets to requests in the batch.

Owns:  the loop over heads and bodies.
Knows: that a request is handed over only when a slot is free, the batch has room and its turn has come.
Never: loses an octet: what is not consumed stays in the connection.
"""

from __future__ import annotations

import enum
from typing import Final

from tinybeam.files import Asked, Mount, Parcel
from tinybeam.portable import chain, exchanges, inflow
from tinybeam.portable.answers import Reply, as_reply
from tinybeam.portable.head import Head, read_head
from tinybeam.portable.message import Message
from tinybeam.portable.refusal import Refused
from tinybeam.portable.response import CONTINUE
from tinybeam.portable.room import Room
from tinybeam.portable.state import ConnectionState, Incoming, Kind

# A head this short is looked at again after each line: a bad line shall be told so soon.
_SHORT_BYTES: Final = 4096


class _Step(enum.Enum):
    NEXT = enum.auto()  # go on with the octets that are left
    MORE = enum.auto()  # more octets are needed
    TURN = enum.auto()  # an earlier answer has to come first
    ROOM = enum.auto()  # the batch is full


def push(room: Room, connection: ConnectionState, octets: bytes) -> None:
    """Takes octets that were read."""
    if connection.inbox:
        connection.inbox += octets
        if connection.request is not None or _is_worth_parsing(connection, len(octets)):
            resume(room, connection)
        return
    done = _consume(room, connection, octets)
    connection.inbox += octets[done:]


def resume(room: Room, connection: ConnectionState) -> None:
    """Goes on with the octets that were kept."""
    done = _consume(room, connection, bytes(connection.inbox))
    del connection.inbox[:done]


def has_kept(connection: ConnectionState) -> bool:
    """Whether there is something that `resume` might go on with."""
    request = connection.request
    return (len(connection.inbox) > 0 and not connection.seen) or (request is not None and request.message.complete)


def is_blocked(connection: ConnectionState) -> bool:
    """Whether what was kept waits for an answer, so that reading more would only pile it up."""
    if not connection.exchanges:
        return False
    request = connection.request
    # Octets that were kept and are no mere beginning of a request wait for their turn.
    kept = len(connection.inbox) > 0 and connection.seen == 0
    return kept or (request is not None and (request.message.complete or request.offered or request.held))


def goes_on(connection: ConnectionState) -> bool:
    """Whether anything of what comes is still wanted."""
    return not connection.closing or (connection.request is not None and connection.request.flowing)


def on_eof(room: Room, connection: ConnectionState) -> None:
    """The client will send no more: an unfinished request is refused."""
    request = connection.request
    if request is not None and (request.flowing or request.discard):
        _break_off(room, connection, request, inflow.LEFT)
        return
    # What was kept because an earlier answer must come first is a whole request, and still gets its answer.
    unfinished = connection.seen > 0 if request is None else not request.message.complete
    if unfinished and connection.refusal is None and not connection.closing:
        _refuse(room, connection, Refused(400, "the connection ended inside a request (RFC 9112 §8)"))
        connection.inbox.clear()


def on_timeout(room: Room, connection: ConnectionState) -> None:
    """Its octets are too slow: an unfinished request is refused."""
    request = connection.request
    if request is not None and (request.flowing or request.discard):
        _break_off(room, connection, request, 408)
        return
    _refuse(room, connection, Refused(408, "the request took too long to arrive (RFC 9110 §15.5.9)"))
    connection.inbox.clear()


def pay_dues(room: Room, connection: ConnectionState) -> None:
    """Sends what waits for its turn: a refusal, or a "100 Continue"."""
    request = connection.request
    own = connection.continue_due and request is not None and request.exchange is not None
    if len(connection.exchanges) > own or connection.closing:
        return
    refusal = connection.refusal
    if refusal is not None:
        connection.refusal = None
        reply = Reply(refusal.status, refusal.fields, refusal.body)
        chain.write(room, connection, Kind(), reply)
        connection.inbox.clear()
    elif connection.continue_due:
        connection.continue_due = False
        if not connection.inbox:  # or else the body is on its way already
            connection.queued.append(CONTINUE)


def _consume(room: Room, connection: ConnectionState, octets: bytes) -> int:
    """Parses on until more octets, room or a turn is needed, or the client has to read first what it was answered.
    Returns how many octets are done with."""
    at = 0
    step = _Step.NEXT
    while step is _Step.NEXT and goes_on(connection) and not (connection.refusal or _is_busy(connection)):
        try:
            if connection.request is None:
                step, at = _next_head(room, connection, octets, at)
            else:
                step, at = _next_body(room, connection, connection.request, octets, at)
        except Refused as refused:
            _refuse(room, connection, refused)
    if step is _Step.ROOM:
        room.wait(connection)
    if not goes_on(connection) or connection.refusal:
        connection.lingered += at < len(octets)  # something came after the last request: see Connection._end
        connection.seen = 0
        return len(octets)
    return at


def _is_busy(connection: ConnectionState) -> bool:
    """Whether the client has much to read first."""
    return bool(connection.unsent) or connection.shipping


def _refuse(room: Room, connection: ConnectionState, refused: Refused) -> None:
    connection.refusal = refused
    connection.continue_due = False
    connection.lingered += 1  # the rest of it may be on its way
    request, connection.request = connection.request, None
    connection.seen = 0
    if request is not None and request.exchange is not None:
        chain.pop(room, connection)  # whose body will never be whole
    room.stats["requests_refused"] += 1


def _next_head(room: Room, connection: ConnectionState, octets: bytes, at: int) -> tuple[_Step, int]:
    rest = octets[at:] if at else octets
    if not rest:
        return _Step.MORE, at
    head = read_head(rest, room.config)
    connection.seen = len(rest) if head is None else 0
    if head is None:
        return _Step.MORE, at
    if head.method == b"TRACE":
        raise Refused(405, "TRACE would show a client's secrets to whoever makes it ask (RFC 9110 §9.3.8)")
    kind = Kind(
        head=head.method == b"HEAD",
        safe=head.safe,
        http10=head.http10,
        keep_alive=head.framing.keep_alive and connection.served + 1 < room.config.connection_requests_max,
    )
    if not _is_its_turn(room, connection, kind):
        return _Step.TURN, at
    arrived = len(rest) - head.end
    step = (
        _begin_body(room, connection, head, kind, arrived)
        if head.framing.has_body
        else _next_bare(room, connection, head, kind)
    )
    return step, at + head.end if step is _Step.NEXT else at


def _is_worth_parsing(connection: ConnectionState, fresh: int) -> bool:
    """Whether the parser can say more than the last time it was asked, now that so many octets have come. A head that
    drips in is looked at again when it may have ended or is twice as long, so that the whole costs linear time."""
    seen, inbox = connection.seen, connection.inbox
    if seen == 0 or len(inbox) >= 2 * seen:
        return True
    if seen < _SHORT_BYTES:
        return inbox.find(b"\n", len(inbox) - fresh) >= 0
    begin = len(inbox) - fresh - 2
    return inbox.find(b"\n\r", begin) >= 0 or inbox.find(b"\n\n", begin) >= 0


def _is_its_turn(room: Room, connection: ConnectionState, kind: Kind) -> bool:
    in_flight = len(connection.exchanges)
    if in_flight == 0:
        return True
    most = room.config.pipeline_requests_max
    return kind.safe and connection.unsafe_open == 0 and in_flight < most


def _next_bare(room: Room, connection: ConnectionState, head: Head, kind: Kind) -> _Step:
    """A request without a body: a constant and a file are answered here, any other one is handed over."""
    reads = head.method in (b"GET", b"HEAD")
    constant = room.constants.get(head.target.path) if reads else None
    if constant is not None:
        if not _answer_here(room, connection, constant, kind):
            return _Step.ROOM
        room.stats["constants"] += 1
        return _Step.NEXT
    message = Message(head, room.config)
    if not message.complete:
        raise Refused(400, "a body where none was announced (h11)")
    mount = room.mounts.find(head.target.path) if reads else None
    parcel = None if mount is None else _answer_with_file(mount, message, kind)
    if parcel is None:
        return _hand_over(room, connection, message, kind)
    if not _answer_here(room, connection, as_reply(parcel), kind):
        return _shed(room, connection)
    room.stats["files"] += 1
    return _Step.NEXT


def _answer_with_file(mount: Mount, message: Message, kind: Kind) -> Parcel | None:
    target = message.head.target
    return mount.answer(target.path, target.query, Asked.read(message.fields, head=kind.head))


def _answer_here(room: Room, connection: ConnectionState, reply: Reply, kind: Kind) -> bool:
    """Without a handler. False when it has to wait for earlier answers, and no slot is free for that."""
    if not connection.exchanges:
        chain.write(room, connection, kind, reply)
    elif not chain.open_ready(room, connection, kind, reply):
        if reply.cargo is not None:
            reply.cargo.close()
        return False
    connection.closing = connection.closing or not kind.keep_alive
    connection.served += 1
    connection.renewed = True
    return True


def _hand_over(room: Room, connection: ConnectionState, message: Message, kind: Kind) -> _Step:
    """Puts a whole request into the batch."""
    if not room.batch.fits(message.record_bytes):
        return _Step.ROOM
    exchange = chain.open_exchange(room, connection, kind)
    if exchange is None:
        return _shed(room, connection)
    room.batch.push(message.record(exchange.handle, connection.peer), message.record_bytes)
    connection.closing = connection.closing or not kind.keep_alive
    connection.served += 1
    room.stats["requests"] += 1
    return _Step.NEXT


def _shed(room: Room, connection: ConnectionState) -> _Step:
    """There is room in the batch, but no handle. A connection that has some waits for its own answers; another one
    would wait for it is not known what, and is better served with a clear word."""
    if connection.exchanges:
        return _Step.TURN
    room.stats["requests_shed"] += 1
    raise Refused(503, "this server has as many requests open as it takes; try again later")


def _begin_body(room: Room, connection: ConnectionState, head: Head, kind: Kind, arrived: int) -> _Step:
    framing = head.framing
    if room.body_offer_bytes is None and framing.content_length > room.config.body_bytes_max:
        raise Refused(413, "the body is larger than this server takes (RFC 9110 §15.5.14)")
    # Python has to be asked first when the client waits for a word, or the body may be longer than every route takes.
    waits = framing.expect_continue and (arrived == 0 if framing.chunked else arrived < framing.content_length)
    large = room.body_offer_bytes is not None and (framing.chunked or framing.content_length > room.body_offer_bytes)
    if waits or large:
        return _offer(room, connection, head, kind)
    connection.request = Incoming(Message(head, room.config), kind)
    return _Step.NEXT


def _offer(room: Room, connection: ConnectionState, head: Head, kind: Kind) -> _Step:
    """Hands the head over alone. It waits until nothing else is unanswered: its own answer may end the connection."""
    if connection.exchanges:
        return _Step.TURN
    message = Message(head, room.config)
    if not room.batch.fits(message.record_bytes):
        return _Step.ROOM
    exchange = exchanges.offer(room, connection, kind)
    if exchange is None:
        return _shed(room, connection)
    request = connection.request = Incoming(message, kind)
    request.exchange = exchange
    request.offered = True
    room.batch.push(message.record(exchange.handle, connection.peer, offered=True), message.record_bytes, offered=True)
    connection.served += 1
    room.stats["requests"] += 1
    return _Step.NEXT


def _next_body(room: Room, connection: ConnectionState, request: Incoming, octets: bytes, at: int) -> tuple[_Step, int]:
    if request.offered or request.held:
        return _Step.TURN, at
    if request.flowing or request.discard:
        return _next_part(room, connection, request, octets, at)
    message = request.message
    if not message.complete:
        end = message.read(octets, at)
        if end > at:
            connection.continue_due = False  # it came without being asked for
        at = end
        if not message.complete:
            return _Step.MORE, at
    return _end_body(room, connection, request), at


def _next_part(room: Room, connection: ConnectionState, request: Incoming, octets: bytes, at: int) -> tuple[_Step, int]:
    """Of a body that goes to its reader, or nowhere, as it comes."""
    message = request.message
    try:
        end = message.read(octets, at)
    except Refused as refused:
        _break_off(room, connection, request, refused.status)
        return _Step.NEXT, len(octets)
    if end > at:
        connection.continue_due = False  # it came without being asked for
    part = message.take_body()
    exchange = request.exchange if request.flowing else None
    if part and exchange is not None:
        request.held = inflow.push(room, exchange, part)
        exchanges.extend(room, exchange)
    if not message.complete:
        return _Step.TURN if request.held else _Step.MORE, end
    connection.closing = connection.closing or not request.kind.keep_alive
    if exchange is not None:
        inflow.end(room, exchange, inflow.WHOLE, message.trailers)
    connection.request = None
    return _Step.NEXT, end


def _break_off(room: Room, connection: ConnectionState, request: Incoming, status: int) -> None:
    """The rest of a request's body will not come, or is of no use: the connection ends with the answer. Its reader is
    told; what only was thrown away is not worth a word."""
    if request.exchange is not None:
        inflow.end(room, request.exchange, status)
        request.exchange.keep_alive = False
        room.stats["requests_refused"] += 1
    connection.closing = True
    connection.continue_due = False
    connection.lingered += 1
    connection.request = None
    connection.inbox.clear()


def _end_body(room: Room, connection: ConnectionState, request: Incoming) -> _Step:
    """The body is whole: hands the request over."""
    message = request.message
    exchange = request.exchange
    if exchange is None:
        if not _is_its_turn(room, connection, request.kind):
            return _Step.TURN
        step = _hand_over(room, connection, message, request.kind)
        if step is _Step.NEXT:
            connection.request = None
        return step
    if not room.batch.fits(message.record_bytes):
        return _Step.ROOM
    exchange.granted = False
    chain.begin(room, exchange)
    room.batch.push(message.record(exchange.handle, connection.peer), message.record_bytes)
    connection.request = None
    connection.closing = connection.closing or not request.kind.keep_alive  # it was counted when it was offered
    return _Step.NEXT
