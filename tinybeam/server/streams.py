"""The answers of one server whose bodies come in parts, from their beginning to their end.

Owns:  which handle belongs to which stream, and who sends signs of life.
Knows: the engine's news: that a client wants more, or has left.
Never: runs what gives the parts: that is a process, which whoever runs processes runs.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from time import monotonic
from typing import Any, Final

import msgspec

from tinybeam import contract
from tinybeam.errors import ClientDisconnected
from tinybeam.http import Request, Response, beginning
from tinybeam.process import GenServer, ProcessRef, Producer, send_after
from tinybeam.router import Endpoint
from tinybeam.server.async_producer import AsyncProducer
from tinybeam.server.engines import AnyEngine
from tinybeam.server.files import send_file
from tinybeam.server.loop import EventLoop
from tinybeam.server.request_process import RunningRequest
from tinybeam.server.stream import WINDOW_BYTES, Stream

_encode = msgspec.msgpack.Encoder().encode
# How often it is looked which streams have been silent for long.
LOOK_MS: Final = 1000


class Streams:
    """All that are open now."""

    def __init__(self, engine: AnyEngine, loop: EventLoop, *, access_log: bool = False) -> None:
        self.engine = engine
        self.access_log = access_log
        self._loop = loop
        self._open: dict[int, tuple[Producer | AsyncProducer, Stream]] = {}
        self._lock = threading.Lock()
        self._pulse: ProcessRef[Pulse] | None = None
        self._draining = False
        self._closed = False

    def begin(self, request: Request, endpoint: Endpoint, response: Response) -> None:
        """Begins an answer; its parts follow when the engine asks for them. Raises what the source's iter() raises.

        One that is a file is the engine's from here on.
        """
        if response.from_file is not None:
            send_file(self.engine, request, endpoint, response, access_log=self.access_log)
            return
        stream = Stream(self, request, endpoint, response)
        source: Any = response.source
        producer: Producer | AsyncProducer
        if hasattr(source, "__aiter__"):
            producer = AsyncProducer(self._loop, source, stream)
        else:
            ref = _producer_of(endpoint).start(source, stream)
            producer = ref._process
        if request.method == "HEAD":
            self._leave(request.handle, producer, stream)  # the engine is done with the head
        else:
            self._put(request.handle, producer, stream)
        if self.engine.respond(_encode([beginning(request.handle, response)])) not in (
            *(contract.OK, contract.EDISCONNECTED),  # of a client that has left there will be news
        ):
            self._leave(request.handle, producer, stream)  # it was answered already, because it took too long

    def _put(self, handle: int, producer: Producer | AsyncProducer, stream: Stream) -> None:
        lasting = stream.heartbeat_s is not None
        with self._lock:
            self._open[handle] = producer, stream
            ended = self._closed or (self._draining and lasting)
            if lasting and self._pulse is None and not ended:
                self._pulse = Pulse.start(self)
        if ended:
            producer.finish()

    def on_news(self, handle: int, what: int) -> None:
        """What the engine tells of a stream."""
        found = self._open.get(handle)
        if found is None:
            return
        if what & contract.NEWS_GONE:
            self._leave(handle, *found)
        else:
            found[0].ask(WINDOW_BYTES)

    def running(self) -> list[RunningRequest]:
        """The requests whose answers are not whole yet."""
        rows = [(producer.actor_ref, stream) for producer, stream in list(self._open.values())]
        return [stream.listed(ref) for ref, stream in rows if ref is not None]

    def drain(self) -> None:
        """Ends the streams that have no end of their own: events."""
        with self._lock:
            self._draining = True
            found = [producer for producer, stream in self._open.values() if stream.heartbeat_s is not None]
        for producer in found:
            producer.finish()

    def close(self) -> None:
        """The engine has closed: nobody reads any of them."""
        with self._lock:
            self._closed = True
            found = list(self._open.items())
            pulse, self._pulse = self._pulse, None
        for handle, (producer, stream) in found:
            self._leave(handle, producer, stream)
        if pulse is not None:
            pulse.stop(block=False)

    def _leave(self, handle: int, producer: Producer | AsyncProducer, stream: Stream) -> None:
        self.forget(handle)
        stream.close()
        producer.cancel(ClientDisconnected("the client has left before the answer was whole"))

    def forget(self, handle: int) -> None:
        """A stream has come to its end."""
        self._open.pop(handle, None)

    def beat(self) -> bool:
        """Sends a sign of life where there was none for long. False when there is nobody left to send one to."""
        now_s = monotonic()
        quiet = [stream for _, stream in list(self._open.values()) if stream.heartbeat_s is not None]
        for stream in quiet:
            if now_s - stream.sent_s >= (stream.heartbeat_s or 0):
                with contextlib.suppress(MemoryError):  # there may be some for the next one
                    stream.beat()
        if quiet:
            return True
        with self._lock:
            if any(stream.heartbeat_s is not None for _, stream in self._open.values()):
                return True
            self._pulse = None
            return False


class Pulse(GenServer):
    """Looks after quiet streams while there are any."""

    def init(self, streams: Streams) -> Any:
        send_after(self.actor_ref, "look", LOOK_MS)
        return streams

    def handle_info(self, message: Any, streams: Streams) -> Any:
        """It is time to look."""
        if streams.beat():
            send_after(self.actor_ref, "look", LOOK_MS)
        else:
            self.stop()
        return streams


_classes: weakref.WeakKeyDictionary[Endpoint, type[Producer]] = weakref.WeakKeyDictionary()


def _producer_of(endpoint: Endpoint) -> type[Producer]:
    """A class of its own for each endpoint: whether one blocks is found out by class."""
    cls: type[Producer] | None = _classes.get(endpoint)
    if cls is None:
        cls = _classes[endpoint] = type(f"Stream of {endpoint.route}", (Producer,), {"blocking": endpoint.blocking})
    return cls
