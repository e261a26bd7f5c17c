"""A scheduler: a poll set, timers, answers that came from other threads, and the loop of a poll.

Owns:  the loop: answers, events, batch; the socket pairs that end a wait.
Knows: the selectors of the standard library, which tell of a socket as long as there is something to tell.
Never: sleeps while an answer is posted: the poster either sees us sleeping, or we see its answer.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import Final

from tinybeam import contract
from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.portable import exchanges, inflow
from tinybeam.portable.answers import Part, Reply
from tinybeam.portable.batch import CLOSED, Batch
from tinybeam.portable.connection import Connection
from tinybeam.portable.listener import PAUSE_MS, Listeners
from tinybeam.portable.reception import Reception
from tinybeam.portable.room import Room
from tinybeam.portable.timers import NEVER

# What a timeout of select can be at most, here and there.
_WAIT_MS_MAX: Final = 24 * 60 * 60 * 1000


class Scheduler:
    """Only the holder polls; what other threads may call says so."""

    def __init__(self, config: Config, body_offer_bytes: int) -> None:
        self.room = Room(config, body_offer_bytes)
        self.listeners = Listeners(self.room)
        self.reception = Reception(self.room)
        self._flags = 0
        self._sleeping = False
        self._closing = False
        self._drain_due = False
        self._drained = False
        # Who waited and who is told of take turns at being first, so that neither starves.
        self._events_first = False
        self._wake_reader, self._wake_writer = _pair()
        self._signal_reader, self.signal_writer = _pair()
        self.room.selector.register(self._wake_reader, selectors.EVENT_READ)
        self.room.selector.register(self._signal_reader, selectors.EVENT_READ)

    # What any thread may call.

    def wake(self, flags: int = 0) -> None:
        """Makes the poll return with these flags; with none, it looks what there is to do."""
        with self.room.flags_lock:
            self._flags |= flags
        self._kick()

    def drain(self) -> None:
        """Begins to drain."""
        self._drain_due = True
        self._kick()

    def shut(self) -> None:
        """The engine closes: whoever polls leaves."""
        self._closing = True
        self._kick(always=True)

    def post(self, answers: bytes) -> int:
        """Takes the handles of these answers, and leaves them for the holder. Returns the first refusal, or OK."""
        try:
            return self.reception.post(answers)
        except NativeError as error:
            return error.code
        finally:
            self._kick()

    def post_reply(self, handle: int, reply: Reply) -> int:
        """The same of one that is no term."""
        code = self.reception.post_reply(handle, reply)
        self._kick()
        return code

    def post_part(self, part: Part) -> None:
        """Leaves a part of a stream for the holder."""
        self.reception.post_part(part)
        self._kick()

    def post_timeout(self, handle: int, timeout_ms: int) -> None:
        """Leaves another deadline for the holder to note."""
        self.reception.post_timeout(handle, timeout_ms)
        self._kick()

    def take_body(self, handle: int, view: memoryview) -> int:
        """Takes octets of a body that is read in parts; see `inflow.take`."""
        code = inflow.take(self.room, handle, view)
        if self.room.wanted:
            self._kick()
        return code

    def left_ms(self) -> int:
        """How long nothing is due; 0 where something is."""
        if self.reception.pending:
            return 0
        return max(0, self.room.due_ms - self.room.clock_ms())

    def _kick(self, *, always: bool = False) -> None:
        if self._sleeping or always:
            self._sleeping = False
            # Full means that the holder is woken already; closed, that there is none.
            with contextlib.suppress(OSError):
                self._wake_writer.send(b"\0")

    # What the holder calls.

    def poll(self, batch: Batch) -> int:
        """Waits for work, and fills the batch; returns the flags. Raises NativeError when the engine closes."""
        self.room.batch = batch
        try:
            flags = self._poll(batch)
        finally:
            self.room.batch = CLOSED
        return flags | (contract.POLL_OFFER if batch.offers else 0)

    def _poll(self, batch: Batch) -> int:
        room = self.room
        room.stats["polls"] += 1
        room.advance()
        while True:
            self._drain()
            self.reception.take_posts()
            room.settle_touched()
            self._events_first = not self._events_first
            if not self._events_first:
                room.resume_waiting()
            if batch.open:
                # Those that still wait after their turn need an answer first, and its post will wake us.
                tried = not room.waiting or not self._events_first
                nothing = not (len(batch) or room.news or self._is_drained())
                self._wait(may_sleep=nothing and tried)
            if self._events_first:
                room.resume_waiting()
            room.settle_touched()
            flags = self._verdict()
            if flags or len(batch):
                return flags

    def serve(self) -> None:
        """Answers, events and deadlines without a batch, in place of a holder that is blocked."""
        room = self.room
        room.advance()
        self.reception.take_posts()
        self._wait(may_sleep=False)
        room.settle_touched()

    def close(self) -> None:
        """Closes all sockets; the caller has seen to it that nobody polls, and nobody will."""
        room = self.room
        with room.descriptors_lock:
            for connection in list(room.connections):
                connection.close()
            self.listeners.close()
            room.mounts.close()
            room.selector.close()
            for sock in self._own_sockets():
                sock.close()

    def abandon(self) -> None:
        """In a forked child: closes the copies of the sockets, and touches nothing that the parent uses."""
        for connection in list(self.room.connections):
            connection.sock.close()
            connection.drop_queued()
        self.listeners.abandon()
        self.room.mounts.close()
        self.room.selector.close()
        for sock in self._own_sockets():
            sock.close()

    def _own_sockets(self) -> tuple[socket.socket, ...]:
        return self._wake_reader, self._wake_writer, self._signal_reader, self.signal_writer

    def _drain(self) -> None:
        if not self._drain_due:
            return
        self._drain_due = False
        self.listeners.accept_all()
        with self.room.descriptors_lock:
            self.listeners.close()
        self.room.draining = True
        for connection in list(self.room.connections):
            connection.drain()

    def _is_drained(self) -> bool:
        """Whether a drain is over and has not been told."""
        return self.room.draining and not self.room.connections and not self._drained

    def _verdict(self) -> int:
        """The flags that the poll returns now, or 0 to go on."""
        if self._closing:
            raise NativeError("the poll failed: the engine is closed", contract.ESHUTDOWN)
        with self.room.flags_lock:
            flags, self._flags = self._flags, 0
        if self._is_drained():
            self._drained = True
            flags |= contract.POLL_DRAINED
        if self.room.news:
            flags |= contract.POLL_NEWS
        return flags

    def _wait(self, *, may_sleep: bool) -> None:
        """Waits for events and acts on them, and then on the timers that have come up."""
        room = self.room
        timeout_ms = self._sleep_ms() if may_sleep else 0
        if may_sleep:
            self._sleeping = True
            if self.reception.pending or self._flags or self._closing or self._drain_due:
                timeout_ms = 0
        events = room.selector.select(None if timeout_ms is None else timeout_ms / 1000)
        self._sleeping = False
        room.advance()
        self.listeners.resume()
        self._heed(events)
        if room.due_ms <= room.now_ms:
            # Who was in time shall not be late only because the wait has ended before it told of him: the end of a stop
            # of the whole process interrupts it, and hours may have gone by. What this look does not tell of has come
            # after the time that we go by.
            self._heed(room.selector.select(0))
            self._expire()

    def _heed(self, events: list[tuple[selectors.SelectorKey, int]]) -> None:
        """Acts on what the selector has told."""
        for key, mask in events:
            owner = key.data
            if isinstance(owner, Connection):
                owner.on_event(mask)
            elif owner is self.listeners:
                self.listeners.on_event(key.fileobj)
            else:
                self._read_own(key.fileobj)  # type: ignore[arg-type]

    def _sleep_ms(self) -> int | None:
        """How long a wait may last at most: until the next timer, or until a paused listener tries again."""
        due_ms = self.room.due_ms
        most = None if due_ms == NEVER else min(max(0, due_ms - self.room.now_ms), _WAIT_MS_MAX)
        if self.listeners.paused:
            most = PAUSE_MS if most is None else min(most, PAUSE_MS)
        return most

    def _read_own(self, sock: socket.socket) -> None:
        """Somebody woke us, or a signal came."""
        with contextlib.suppress(BlockingIOError, InterruptedError):
            while sock.recv(4096):
                pass
        if sock is self._signal_reader:
            self.wake(contract.POLL_SIGNAL)

    def _expire(self) -> None:
        """Ends what has taken too long."""
        room = self.room
        known = room.stats["requests_overdue"]
        for exchange in room.exchange_timers.take(room.now_ms):
            exchanges.on_timer(room, exchange)
        for connection in room.connection_timers.take(room.now_ms):
            connection.on_timer()
        if room.stats["requests_overdue"] != known:
            self.wake(contract.POLL_OVERDUE)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Two ends, neither of which ever waits; sockets, since a pipe cannot be selected everywhere."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    return reader, writer
