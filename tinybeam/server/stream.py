"""One answer whose body comes in parts: where the parts go.

Owns:  the order of parts and end on the border, also where they are encoded on their way, and that nothing follows
       an end.
Knows: the engine's respond call, which any thread may make.
Never: waits for the client: how much is wanted is told to whoever makes the parts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from tinybeam import contract
from tinybeam.http import HEARTBEAT, KIND_ASK, KIND_CUT, KIND_END, KIND_PART, Encoder, Request, Response
from tinybeam.router import Endpoint
from tinybeam.server.access import log_line
from tinybeam.server.crash import report_broken
from tinybeam.server.engines import AnyEngine
from tinybeam.server.request_process import RunningRequest


class Stream:
    """The sink of a producer."""

    __slots__ = (
        *(
            "_access_log",
            "_encoder",
            "_encoding",
            "_endpoint",
            "_forget",
            "_open",
            "_push",
            "_request",
            "_sent_bytes",
            "_started_s",
            "_status",
        ),
        *("_to_part", "heartbeat_s", "sent_s"),
    )

    _encoder: Encoder | None

    def __init__(
        self,
        engine: AnyEngine,
        request: Request,
        endpoint: Endpoint,
        response: Response,
        *,
        forget: Callable[[int], None],
        access_log: bool,
    ) -> None:
        self._push = engine.push
        self._request = request
        self._endpoint = endpoint
        self._status = response.status
        self._to_part = response.to_part
        self._encoder = response.encoder
        # Held from before a part is encoded until it was sent: signs of life come from another thread.
        self._encoding = None if self._encoder is None else threading.Lock()
        self._forget = forget
        self._access_log = access_log
        self._open = True
        self._sent_bytes = 0
        self.heartbeat_s = response.heartbeat_s
        # When something was sent last.
        self.sent_s = self._started_s = monotonic()

    def put(self, part: Any, credit: int) -> int:
        """Sends a part, with the wish to be asked for more if the credit is spent with it."""
        octets = self._to_part(part)
        if not self._open:
            return 0  # whoever has closed it will tell
        if not octets:
            return credit
        if self._encoding is not None:
            return self._put_encoded(octets, credit)
        credit -= len(octets)
        self.send(octets, KIND_PART if credit > 0 else KIND_ASK)
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

    def beat(self) -> None:
        """Sends a sign of life. Any thread."""
        if self._encoding is None:
            self.send(HEARTBEAT)
        elif self._encoding.acquire(blocking=False):  # or else a part is on its way, which is one as well
            try:
                if self._encoder is not None:
                    self.send(self._encoder.part(HEARTBEAT))
            finally:
                self._encoding.release()

    def send(self, octets: bytes, kind: int = KIND_PART) -> None:
        """Sends octets. Any thread."""
        if self._open:
            self.sent_s = monotonic()
            self._sent_bytes += len(octets)
            if self._push(self._request.handle, kind, octets) == contract.ENOMEM:
                raise MemoryError("the engine has no memory for a part of the answer")

    def done(self) -> None:
        """The body is whole."""
        if self._encoding is not None:
            try:
                self._send_end(self._encoding)
            except BaseException as error:  # noqa: BLE001 - it is not whole, or there is no memory
                self.broken(error)
        self._end(KIND_END)

    def _send_end(self, encoding: threading.Lock) -> None:
        with encoding:
            encoder, self._encoder = self._encoder, None
            if encoder is not None and (rest := encoder.end()):
                self.send(rest)

    def broken(self, error: BaseException | None) -> None:
        """It will never be."""
        if error is not None:
            report_broken(self._request, self._endpoint, error)
        self._end(KIND_CUT)

    def close(self) -> None:
        """Nobody reads it any more."""
        if self._open:
            self._open = False
            self._encoder = None
            self._log()

    def _end(self, kind: int) -> None:
        if self._open:
            self._open = False
            self._encoder = None
            self._forget(self._request.handle)
            self._push(self._request.handle, kind, b"")
            self._log()

    def _log(self) -> None:
        if self._access_log:
            log_line(self._request, self._status, self._sent_bytes, monotonic() - self._started_s)

    def listed(self, ref: Any) -> RunningRequest:
        """A row of the list of running requests."""
        request = self._request
        return RunningRequest(request.id, request.method, request.path, str(self._endpoint.route), ref)
