"""The server: a pykka actor whose inbox is the native scheduler.

Owns:  the engine, the scheduler, and what happens in which order at start and stop.
Knows: pykka's way of making an actor: it brings its own inbox and its own loop.
Never: gives its messages a thread of their own: the runner that polls handles them.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, Self

import pykka
from pykka import Future, ThreadingFuture

from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.process import process_stats
from tinybeam.router import RouteTable
from tinybeam.server.engines import open_engine
from tinybeam.server.inbox import Inbox
from tinybeam.server.request_process import RunningRequest
from tinybeam.server.scheduler import Scheduler, body_offer_bytes

logger = logging.getLogger("tinybeam.server")


class Server(pykka.Actor):
    """`Server.start(table, config)` listens and serves; a failure to start raises in the caller.

    Its public attributes (`port`, `stats`) may be read through a proxy; `stop` stops at once. See `serve` for draining.
    """

    def __init__(self, table: RouteTable, config: Config, changed: threading.Condition | None = None) -> None:
        super().__init__()
        self.engine = open_engine(config, body_offer_bytes(table, config))
        try:
            self.port = self._listen(table, config)
            self._scheduler = Scheduler(
                self.engine,
                table,
                config,
                on_wake=self._on_wake,
                on_signal=self._on_signal,
                on_drained=self._on_drained,
                on_broken=self._on_broken,
            )
        except BaseException:
            self.engine.close()
            raise
        self.drained = False
        self.stopped = False
        # Whether it stopped because its runners fault.
        self.broken = False
        self._stats_at_stop: dict[str, int] = {}
        self._when_stopped: Callable[[], None] | None = None
        # Notified by a stop, a finished drain, and each signal.
        self.changed = threading.Condition() if changed is None else changed

    @classmethod
    def launch(cls, table: RouteTable, config: Config, changed: threading.Condition | None = None) -> Self:
        """Does what `start` does, and gives the actor itself: a pykka ref holds it only weakly."""
        server = cls(table, config, changed)
        pykka.ActorRegistry.register(server.actor_ref)
        server._start_actor_loop()
        return server

    def _listen(self, table: RouteTable, config: Config) -> int | None:
        for constant in table.constants:
            self.engine.add_constant(*constant)
        for mount in table.mounts:
            self.engine.add_static(*mount)
        if config.uds is not None:
            self.engine.listen_unix(config.uds, config.backlog)
            return None
        return self.engine.listen(config.host, config.port, config.backlog)

    @staticmethod
    def _create_actor_inbox() -> Inbox:
        return Inbox()

    @staticmethod
    def _create_future() -> Future[Any]:
        return ThreadingFuture()

    def _start_actor_loop(self) -> None:
        self.actor_inbox.wake = self.engine.wake  # type: ignore[attr-defined]  # it is an Inbox
        try:
            self._scheduler.start()
        except BaseException:
            self._stop()  # or it would go on listening, and stay in pykka's registry
            raise

    def stats(self) -> dict[str, int]:
        """The engine's counters, the pool's threads, and the processes; after a stop, as they were when it came."""
        pool = self._scheduler.pool
        own = {"pool_threads": pool.threads, "pool_backlog": pool.backlog}
        try:
            return {**self.engine.stats(), **own, **process_stats()}
        except NativeError:
            return self._stats_at_stop

    def drain(self) -> None:
        """Accepts nothing new, and lets what is open finish; `drained` says when it has. Raises NativeError."""
        self.engine.drain()
        self._scheduler.streams.drain()

    def tell_when_stopped(self, tell: Callable[[], None]) -> None:
        """Has `tell` called once, by whoever stops it; at once when it has stopped."""
        with self.changed:
            if not self.stopped:
                self._when_stopped = tell
                return
        tell()

    def requests(self) -> list[RunningRequest]:
        """The requests whose handlers run now, each with the ref of its process."""
        return self._scheduler.running()

    def halt(self) -> None:
        """Stops at once, from any thread. Its own stop message would wait for a runner, and all may be blocked."""
        if not self.stopped:
            self._stop()

    def on_stop(self) -> None:
        """Closes the engine: the sockets go, and every runner ends."""
        self._stats_at_stop = self.stats()
        if not self.engine.close():
            return  # another thread was first
        self._scheduler.close()
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
            tell, self._when_stopped = self._when_stopped, None
        if tell is not None:
            tell()
        # A sender who saw it alive may put its message even later, and then refuses it by itself.
        self.actor_inbox.wake = self._refuse_rest  # type: ignore[attr-defined]
        self._refuse_rest()

    # Called by the runner that polls.

    def _on_wake(self) -> None:
        self.actor_inbox.drain(self._handle)  # type: ignore[attr-defined]

    def _on_signal(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def _on_drained(self) -> None:
        with self.changed:
            self.drained = True
            self.changed.notify_all()

    def _on_broken(self, error: BaseException) -> None:
        logger.critical("the server gives up: its runners fault again and again (%s)", type(error).__name__)
        self.broken = True
        self._stop()

    def _handle(self, envelope: Any) -> None:
        """Handles one message as pykka's own loop does, but a BaseException in it stops nothing else."""
        if self.actor_stopped.is_set():
            self._refuse(envelope)
            return
        try:
            response = self._handle_receive(envelope.message)
        except BaseException as error:  # noqa: BLE001 - pykka would stop every actor of the process
            if envelope.reply_to is not None:
                envelope.reply_to.set_exception(sys.exc_info())
            else:
                logger.error("a message to the server raised %s", type(error).__name__, exc_info=error)
            return
        if envelope.reply_to is not None:
            envelope.reply_to.set(response)

    def _refuse(self, envelope: Any) -> None:
        if envelope.reply_to is None:
            return
        if type(envelope.message).__name__ == "_ActorStop":
            envelope.reply_to.set(None)
            return
        dead = pykka.ActorDeadError(f"{self.actor_ref} stopped before handling the message")
        envelope.reply_to.set_exception((pykka.ActorDeadError, dead, None))

    def _refuse_rest(self) -> None:
        while not self.actor_inbox.empty():
            try:
                self._refuse(self.actor_inbox.get())
            except IndexError:
                return
