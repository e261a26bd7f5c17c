"""What a connection and its exchanges hold.

Owns:  the shape of both, and of a request whose body is arriving.
Knows: that only the holder of the scheduler touches any of it.
Never: decides anything; connection.py, intake.py and exchanges.py do.
"""

from __future__ import annotations

import enum
import socket
from abc import ABC, abstractmethod
from typing import Final, NamedTuple

from tinybeam.files import Cargo
from tinybeam.portable.message import Message
from tinybeam.portable.refusal import Refused
from tinybeam.portable.timers import NEVER

# One for all: an idle connection shall cost little.
NOTHING: Final = memoryview(b"")


class Kind(NamedTuple):
    """What of a request matters to its answer."""

    head: bool = False
    safe: bool = True
    http10: bool = False
    keep_alive: bool = False


class StreamState(enum.Enum):
    """What has become of an answer that comes in parts."""

    NONE = enum.auto()  # it does not, or is whole
    KEPT = enum.auto()  # earlier answers have to come first
    OPEN = enum.auto()  # its head is on the wire
    CUT = enum.auto()  # the connection ends in the middle of it
    GONE = enum.auto()  # nobody reads it; it is there until that has been told


class Exchange:
    """One request and its answer: what a slot holds. Only the holder of the scheduler touches it."""

    __slots__ = (
        "answer",
        "asked",
        "bodied",
        "cargo",
        "chunked",
        "connection",
        "due_ms",
        "free",
        "generation",
        "granted",
        "handle",
        "head",
        "http10",
        "inflow",
        "keep_alive",
        "left",
        "news",
        "offered",
        "safe",
        "since_ms",
        "slot",
        "stream",
        "timer_ms",
    )

    def __init__(self, slot: int, generation: int) -> None:
        self.slot = slot
        self.generation = generation
        self.handle = 0
        self.free = True
        # None once the client has left.
        self.connection: ConnectionState | None = None
        # The response, or what of it there is, when it came before its turn on the wire.
        self.answer: bytes | bytearray = b""
        # And the file that follows it.
        self.cargo: Cargo | None = None
        self.head = False
        # A safe method: it may run beside other safe ones of its connection (RFC 9112 section 9.3.2).
        self.safe = False
        self.http10 = False
        self.keep_alive = False
        # Its body is not asked for yet.
        self.offered = False
        # Its body is arriving, and nobody has the handle.
        self.granted = False
        # Its body on the way to a reader, if there is one; and whether there may be. Under the room's lock for it.
        self.inflow: Inflow | None = None
        self.bodied = False
        self.stream = StreamState.NONE
        # Of a stream: how its parts are framed, how many octets are still to come where that is known, and whether more
        # is wanted once the client has taken nearly all.
        self.chunked = False
        self.left: int | None = None
        self.asked = False
        # What there is to tell of it (NEWS_...), or 0.
        self.news = 0
        self.timer_ms = NEVER
        # When it was handed over, and when it is answered 504.
        self.since_ms = 0
        self.due_ms = NEVER

    @property
    def kind(self) -> Kind:
        return Kind(self.head, self.safe, self.http10, self.keep_alive)


class Inflow:
    """A body that goes to a reader as it comes: what of it was not taken yet."""

    __slots__ = ("awaited", "begun", "bytes_max", "exchange", "held", "octets", "status", "trailers", "wanted")

    def __init__(self, exchange: Exchange, bytes_max: int) -> None:
        # None once that is over.
        self.exchange: Exchange | None = exchange
        self.bytes_max = bytes_max
        self.octets = bytearray()
        self.trailers = b"\n"
        # How it has ended, or 0.
        self.status = 0
        # The reader has asked for it; waits to be told of octets, or of the end.
        self.begun = self.awaited = False
        # The connection waits to be told that there is room; it is in the line of those.
        self.held = self.wanted = False


class Incoming:
    """A request whose body is still arriving, or wanted."""

    __slots__ = ("discard", "exchange", "expects", "flowing", "held", "kind", "message", "offered")

    def __init__(self, message: Message, kind: Kind) -> None:
        self.message = message
        self.kind = kind
        # The one by which it was offered.
        self.exchange: Exchange | None = None
        # Whether nobody has said yet if its body is wanted.
        self.offered = False
        # Its body goes to a reader as it comes, who may have enough for now.
        self.flowing = self.held = False
        # It was answered without the rest of its body, which is little.
        self.discard = False
        self.expects = message.head.framing.expect_continue


class ConnectionState(ABC):
    """One accepted connection, without what it does."""

    __slots__ = (
        "broken",
        "closing",
        "continue_due",
        "cut",
        "dead",
        "eof",
        "exchanges",
        "inbox",
        "lingered",
        "lingering",
        "peer",
        "queued",
        "refusal",
        "renewed",
        "request",
        "reset",
        "seen",
        "served",
        "sock",
        "timer_ms",
        "touched",
        "unsafe_open",
        "unsent",
        "waiting",
    )

    def __init__(self, sock: socket.socket, peer: bytes) -> None:
        self.sock = sock
        self.peer = peer
        # Those whose answers are not on the wire yet, in order.
        self.exchanges: list[Exchange] = []
        self.unsafe_open = 0
        # Octets that are not parsed yet, and how many of them the parser has seen and found too few.
        self.inbox = bytearray()
        self.seen = 0
        # A request whose body is arriving, or wanted.
        self.request: Incoming | None = None
        # What a bad request is told once those before it are answered.
        self.refusal: Refused | None = None
        # Owes a "100 Continue" once it is its turn.
        self.continue_due = False
        self.served = 0
        # Answers of this turn, and what of earlier ones the socket did not take.
        self.queued: list[bytes | bytearray | Cargo] = []
        self.unsent = NOTHING
        self.eof = False
        # No further request is read.
        self.closing = False
        # It ends in the middle of an answer; with a reset, where its close would be taken for the answer's end.
        self.cut = False
        self.reset = False
        # Our side is shut; what the client still sends is counted and discarded.
        self.lingering = False
        self.lingered = 0
        self.broken = False
        # On the room's lists.
        self.waiting = False
        self.touched = False
        self.dead = False
        self.timer_ms = NEVER
        # Something was finished: what it is waited for next begins anew, though it may be the same as before.
        self.renewed = False

    @property
    def shipping(self) -> bool:
        """Whether what waits ends with a file: what comes after it can wait with the client."""
        return bool(self.queued) and isinstance(self.queued[-1], Cargo)

    def drop_queued(self) -> None:
        """Forgets what waits to be written, and closes the files among it."""
        kept = [exchange.cargo for exchange in self.exchanges]
        for one in (*self.queued, *kept):
            if isinstance(one, Cargo):
                one.close()
        self.queued.clear()
        self.unsent = NOTHING

    @property
    @abstractmethod
    def may_resume(self) -> bool:
        """Whether octets were kept that may be parsed now."""

    @abstractmethod
    def settle(self, *, readable: bool = False) -> None:
        """Goes on as far as it can, and comes to rest."""

    @abstractmethod
    def on_timer(self) -> None:
        """Its timer has come up."""

    @abstractmethod
    def drain(self) -> None:
        """The server drains."""

    @abstractmethod
    def close(self) -> None:
        """Closes at once."""
