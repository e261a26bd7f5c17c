"""One accepted connection: a state machine from octets to requests and from answers to octets.

Owns:  its socket, the octets that wait, and the order of its answers; reading, ending and closing.
Knows: intake, exchanges, deadlines; what RFC 9112 section 9 says of persistence and closing.
Never: is touched by a thread that does not hold the scheduler; calls anything that blocks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import struct
from typing import Final

from tinybeam.files import Cargo
from tinybeam.portable import exchanges, intake, stream
from tinybeam.portable.deadlines import Deadline, Phase
from tinybeam.portable.room import Room
from tinybeam.portable.state import NOTHING, ConnectionState

logger = logging.getLogger("tinybeam.server")

# What one read takes at most.
_READ_BYTES: Final = 64 * 1024
# Up to here answers are put together, to be written in one call.
_RUN_BYTES: Final = 64 * 1024
# Of files and answers so much goes out before others have their turn.
_TURN_BYTES: Final = 1 << 20
# What a refused client may still send before we stop listening to it (RFC 9112 section 9.6).
_LINGER_BYTES_MAX: Final = 1 << 20
_RESET: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Connection(ConnectionState):
    """Made by the listener. `settle` brings it to rest after whatever has happened to it."""

    __slots__ = ("_deadline", "_room", "_watched")

    def __init__(self, room: Room, sock: socket.socket, peer: bytes) -> None:
        super().__init__(sock, peer)
        self._room = room
        self._deadline = Deadline(room, self)
        self._watched = 0
        room.connections.add(self)
        room.stats["connections_accepted"] += 1
        room.stats["connections_open"] = len(room.connections)

    @property
    def may_resume(self) -> bool:
        """Whether octets were kept that may be parsed now."""
        return intake.goes_on(self) and not (self.waiting or self.refusal) and intake.has_kept(self)

    @property
    def _may_read(self) -> bool:
        """Whether there is any use in reading: not while answers cannot be written, nor what was read has to wait."""
        ended = self.eof or self.broken or self.refusal is not None or not intake.goes_on(self)
        return not ended and not self.unsent and not intake.is_blocked(self)

    def on_event(self, mask: int) -> None:
        """What the selector has said."""
        if self.dead:
            return
        if mask & selectors.EVENT_WRITE:
            self._send_unsent()
        self.settle(readable=bool(mask & selectors.EVENT_READ))

    def settle(self, *, readable: bool = False) -> None:
        """Goes on as far as it can: parses, reads if there is something to read, writes, ends. Never raises: a fault
        of ours here costs this connection, and no other."""
        if self.dead:
            return
        try:
            self._settle(readable)
        except Exception:
            self.close()
            logger.exception("a connection faulted, and is closed")

    def _settle(self, readable: bool) -> None:
        room = self._room
        if self.lingering:
            if readable:
                self._linger()
        else:
            if self.may_resume:
                intake.resume(self._room, self)
            if readable and self._may_read and not self.waiting:
                self._read()
            intake.pay_dues(self._room, self)
            self._flush()
            if self.broken:
                self.close()
                return
            drained = room.draining and not self.inbox and self.request is None
            finished = self.closing or ((self.eof or drained) and not self.waiting)
            if finished and not self.unsent and (self.cut or not self.exchanges):
                self._end()
        if not self.dead:
            self._deadline.settle()
            stream.settle(room, self)
            self._watch()

    def _read(self) -> None:
        if not self._room.batch.open:
            self._room.wait(self)
            return
        octets = self._receive()
        if octets:
            intake.push(self._room, self, octets)
        elif self.eof:
            intake.on_eof(self._room, self)

    def _receive(self) -> bytes:
        """What there is to read; nothing at the end, or when there is nothing."""
        try:
            octets = self.sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            self._break(error)
            return b""
        if octets:
            self._deadline.on_received(len(octets))
        else:
            self.eof = True
        return octets

    def _flush(self) -> None:
        """Writes what was queued, unless something has to wait already: then it goes when that has gone."""
        sent = 0
        shipping = self.shipping
        while self.queued and not (self.unsent or self.broken):
            run = self._next_run()
            self.unsent = memoryview(run) if run else NOTHING
            if self.unsent and sent > _TURN_BYTES:
                return  # others have their turn, and then the selector says that we may go on
            sent += len(run)
            self._send_unsent()
        if shipping and not (self.queued or self.broken) and self.may_resume:
            self._room.wait(self)  # what came behind the request for a file has its turn

    def _next_run(self) -> bytes | bytearray:
        """What goes out in one piece: many small ones, or a large one as it is, since a copy of it would cost more; or
        some of a file."""
        pieces: list[bytes | bytearray] = []
        octets = 0
        for one in self.queued:
            if isinstance(one, Cargo):
                break
            octets += len(one)
            if pieces and octets > _RUN_BYTES:
                break
            pieces.append(one)
        if not pieces:
            return self._next_of_file()
        del self.queued[: len(pieces)]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _next_of_file(self) -> bytes:
        """Nothing at its end, or when it is not what it was: then the connection ends, rather than lie."""
        cargo = self.queued[0]
        assert isinstance(cargo, Cargo)
        try:
            octets = cargo.take()
        except OSError:
            self.broken = True
            return b""
        if not octets:
            cargo.close()
            del self.queued[0]
        return octets

    def _send_unsent(self) -> None:
        while self.unsent:
            try:
                sent = self.sock.send(self.unsent)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._break(error)
                return
            # A view that is used up must not keep the answer's octets.
            self.unsent = self.unsent[sent:] if sent < len(self.unsent) else NOTHING
            self._deadline.on_sent(sent)

    def _break(self, error: OSError) -> None:
        """The socket has failed. The kernel itself may have given up a client that takes nothing of its answer (RFC
        5482), of which we hear before our own timer comes up when we were held up."""
        self.broken = True
        if isinstance(error, TimeoutError) and self._deadline.phase is Phase.WRITE:
            self._room.stats["timeouts_write"] += 1

    def _end(self) -> None:
        """Shuts our side and listens until the client has read all: a close over unread octets would reset the
        connection and take the answer from under the client (RFC 9112 section 9.6)."""
        if self.reset:
            self._reset()
            return
        if self.eof or not (self.lingered or self._has_unread()):
            self.close()
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self.lingering = True
        self.inbox.clear()
        self._linger()

    def _has_unread(self) -> bool:
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _linger(self) -> None:
        """Discards what the client still sends, until it has closed as well or has sent too much."""
        while octets := self._receive():
            self.lingered += len(octets)
            if self.lingered > _LINGER_BYTES_MAX:
                break
        if self.eof or self.broken or self.lingered > _LINGER_BYTES_MAX:
            self.close()

    def _watch(self) -> None:
        """Tells the selector what we wait for."""
        reading = self.lingering or self._may_read
        wanted = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if self.unsent else 0)
        if wanted == self._watched:
            return
        if not wanted:
            self._room.selector.unregister(self.sock)
        elif not self._watched:
            self._room.selector.register(self.sock, wanted, self)
        else:
            self._room.selector.modify(self.sock, wanted, self)
        self._watched = wanted

    def close(self) -> None:
        """Closes at once; who answers later is told that the client has left."""
        self._close(reset=False)

    def _close(self, *, reset: bool) -> None:
        if self.dead:
            return
        self.dead = True
        room = self._room
        exchanges.on_disconnect(room, self)
        room.connection_timers.clear(self)
        with room.descriptors_lock:
            if self._watched:
                # A forked child may still have a copy of the socket, and then close alone would leave it watched.
                room.selector.unregister(self.sock)
                self._watched = 0
            if room.forked and not reset:
                # A child may be held up before it can let go of its copy, and the client is not to wait for that.
                with contextlib.suppress(OSError):
                    self.sock.shutdown(socket.SHUT_RDWR)
            self.sock.close()
        self.inbox.clear()
        self.drop_queued()
        self.request = None
        room.connections.discard(self)
        room.stats["connections_open"] = len(room.connections)

    def _reset(self) -> None:
        """Closes at once, and so that the client knows that what it has got is not all."""
        with contextlib.suppress(OSError):  # some systems refuse when it has left
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._close(reset=True)

    def on_timer(self) -> None:
        """Its timer has come up: if a deadline is met, the client is told so, and the connection ends."""
        if self.dead or not self._deadline.met():
            return
        stats = self._room.stats
        match self._deadline.phase:
            case Phase.KEEPALIVE:
                self._end_idle()
                return
            case Phase.WRITE:
                stats["timeouts_write"] += 1
                self._reset()
                return
            case Phase.LINGER:
                self.close()
                return
            case Phase.HEADER:
                stats["timeouts_header"] += 1
                if not self.inbox:
                    self.close()  # it has asked for nothing, and is told nothing
                    return
            case _:
                stats["timeouts_body"] += 1
        intake.on_timeout(self._room, self)
        self.settle()

    def _end_idle(self) -> None:
        """A client may have sent a request in this very moment: it is read, or else the client is told of the end and
        not reset, so that it knows that it may send it again."""
        self.settle(readable=True)
        if not self.dead and self._deadline.phase is Phase.KEEPALIVE and self._deadline.met():
            self._room.stats["timeouts_keepalive"] += 1
            self.closing = True
            self.lingered += 1
            self.settle()

    def drain(self) -> None:
        """The server drains: an idle connection ends now, another one after its answer."""
        if self.lingering:
            self.close()
        else:
            self.settle(readable=True)  # a request may have come just now
