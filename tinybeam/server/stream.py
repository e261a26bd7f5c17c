"""One answer whose body comes in parts: where the parts go.

Owns:  the order of parts and end on the border, also where they are encoded on their way, and that nothing follows
       an end.
Knows: the engine's push call, which any thread may make; that a runner gathers the parts of a turn.
Never: waits for the client: how much is wanted is told to whoever makes the parts; keeps the request's fields or body.
"""

from __future__ import annotations

import contextlib
import threading
from time import monotonic
from typing import Any, Final, Protocol

from tinybeam import contract
from tinybeam.http import (
    HEARTBEAT,
    KIND_ASK,
    KIND_CUT,
    KIND_END,
    KIND_LAST,
    KIND_PART,
    Encoder,
    Request,
    Response,
    part_octets,
)
from tinybeam.process import this_thread
from tinybeam.router import Endpoint
from tinybeam.server.access import log_line
from tinybeam.server.crash import report_broken
from tinybeam.server.engines import AnyEngine
from tinybeam.server.request_process import RunningRequest

# So much of a body is made before the client has taken what there was, beside the one part that comes to it.
WINDOW_BYTES: Final = 64 * 1024
# And so much at most while the socket takes all of it at once, so that none of it waits in our memory. Twice as much
# costs hardly less CPU, and half as much a quarter more.
WINDOW_BYTES_MAX: Final = 256 * 1024
_NONE: Final[Any] = ()


class Office(Protocol):
    """What all streams of a server share."""

    @property
    def engine(self) -> AnyEngine: ...
    @property
    def access_log(self) -> bool: ...
    def forget(self, handle: int) -> None:
        """A stream has come to its end."""


class Stream:
    """The sink of a producer."""

    __slots__ = (
        *("_encoder", "_encoding", "_endpoint", "_office", "_open", "_parts", "_request", "_runner", "_sent_bytes"),
        *("_started_s", "_status", "_to_part", "heartbeat_s", "sent_s"),
    )

    _encoder: Encoder | None

    def __init__(self, office: Office, request: Request, endpoint: Endpoint, response: Response) -> None:
        self._office = office
        # What is still to be said of it, in logs and lists: a stream may last for days, and so may what it keeps.
        self._request = Request(
            *(request.handle, request.method, request.path_raw, request.query_raw),
            peer_raw=request.peer_raw,
            prefix=request.prefix,
        )
        self._endpoint = endpoint
        self._status = response.status
        self._to_part = response.to_part
        self._encoder = response.encoder
        # Held from before a part is encoded until it was sent: signs of life come from another thread.
        self._encoding = None if self._encoder is None else threading.Lock()
        self._open = True
        # Whose thread the source is run in, during a turn of it, and what was gathered there.
        self._runner: Any = None
        self._parts: list[bytes] = _NONE
        self._sent_bytes = 0
        self.heartbeat_s = response.heartbeat_s
        # When something was sent last.
        self.sent_s = self._started_s = monotonic()

    # What its producer calls.

    def begin(self) -> None:
        """See Sink. In a runner's thread the parts of a turn go together, at its end, unless they are encoded."""
        runner: Any = this_thread().runner
        if self._encoding is None and getattr(runner, "engine", None) is self._office.engine:
            self._runner = runner
            self._parts = runner.outbox.open(self)

    def put(self, part: Any, credit: int) -> int:
        """Takes a part."""
        octets = part if type(part) is bytes and self._to_part is part_octets else self._to_part(part)
        if not self._open:
            return 0  # whoever has closed it will tell
        if not octets:
            return credit
        if self._encoding is not None:
            return self._put_encoded(octets, credit)
        credit -= len(octets)
        runner = self._runner
        if runner is None:
            self.send(octets, KIND_PART if credit > 0 else KIND_ASK)
            return credit
        self._parts.append(octets)
        if runner.taken:  # and whoever took it may have looked before this part was there
            runner.outbox.flush()
        return credit

    def _put_encoded(self, octets: bytes, credit: int) -> int:
        assert self._encoding is not None
        with self._encoding:
            encoder = self._encoder
            if encoder is None:
                return 0  # it was closed just now
            encoded = encoder.part(octets)
            credit -= len(encoded)
            self.send(encoded, KIND_PART if credit > 0 else KIND_ASK)
            return credit

    def flush(self, credit: int) -> int:
        """Sends what was gathered. Where the credit is spent, more is wanted at once, or when the engine says so."""
        if self._runner is None:
            return credit
        room = self._close_turn(KIND_PART if credit > 0 else KIND_ASK)
        if credit > 0:
            return credit
        return min(max(room, WINDOW_BYTES), WINDOW_BYTES_MAX) if room > 0 else 0

    def done(self) -> None:
        """The body is whole."""
        told = False
        try:
            if self._encoding is not None:
                self._send_end(self._encoding)
            elif self._runner is not None:
                told = self._close_turn(KIND_LAST) == contract.OK
        except BaseException as error:  # noqa: BLE001 - it is not whole, or there is no memory
            self.broken(error)
        self._end(None if told else KIND_END)

    def _send_end(self, encoding: threading.Lock) -> None:
        with encoding:
            encoder, self._encoder = self._encoder, None
            if encoder is not None and (rest := encoder.end()):
                self.send(rest)

    def broken(self, error: BaseException | None) -> None:
        """It will never be."""
        if error is not None:  # or else another than the producer says so, who may be in its turn
            report_broken(self._request, self._endpoint, error)
            with contextlib.suppress(MemoryError):
                self._close_turn(KIND_PART)
        self._end(KIND_CUT)

    def _close_turn(self, kind: int) -> int:
        """Sends what was gathered. What the engine said of it."""
        runner, self._runner = self._runner, None
        parts, self._parts = self._parts, _NONE
        return 0 if runner is None else int(runner.outbox.close(self, parts, kind))

    # Any thread.

    def send(self, octets: bytes, kind: int = KIND_PART) -> int:
        """Sends octets. What the engine says of it; above 0: so many more would go out at once."""
        if not self._open:
            return 0
        if self.heartbeat_s is not None:
            self.sent_s = monotonic()
        self._sent_bytes += len(octets)
        code = self._office.engine.push(self._request.handle, kind, octets)
        if code == contract.ENOMEM:
            raise MemoryError("the engine has no memory for a part of the answer")
        return code

    def beat(self) -> None:
        """Sends a sign of life."""
        if self._encoding is None:
            self.send(HEARTBEAT)
        elif self._encoding.acquire(blocking=False):  # or else a part is on its way, which is one as well
            try:
                if self._encoder is not None:
                    self.send(self._encoder.part(HEARTBEAT))
            finally:
                self._encoding.release()

    def close(self) -> None:
        """Nobody reads it any more."""
        if self._open:
            self._open = False
            self._encoder = None
            self._log()

    def _end(self, kind: int | None) -> None:
        """Tells the end, if it has not been told."""
        if self._open:
            self._open = False
            self._encoder = None
            self._office.forget(self._request.handle)
            if kind is not None:
                self._office.engine.push(self._request.handle, kind, b"")
            self._log()

    def _log(self) -> None:
        if self._office.access_log:
            log_line(self._request, self._status, self._sent_bytes, monotonic() - self._started_s)

    # About it.

    @property
    def label(self) -> str:
        """What it is, in words."""
        return f"{self._request.method} {self._request.path}"

    def listed(self, ref: Any) -> RunningRequest:
        """A row of the list of running requests."""
        request = self._request
        return RunningRequest(request.id, request.method, request.path, str(self._endpoint.route), ref)
