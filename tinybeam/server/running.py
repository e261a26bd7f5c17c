"""A server that runs: what the command line and the tests hold in their hands.

Owns:  the way to start one, to wait for it, to drain it and to stop it.
Knows: the server actor.
Never: polls: waiting is for an event, and a signal wakes it.
"""

from __future__ import annotations

import time
from typing import Protocol

import pykka

from tinybeam.config import Config
from tinybeam.errors import ConfigError, NativeError
from tinybeam.router import RouteTable
from tinybeam.server.actor import Server


class Compilable(Protocol):
    """A Router, or whatever else makes a route table."""

    def compile(self) -> RouteTable: ...


def serve(app: Compilable, config: Config | None = None) -> RunningServer:
    """Starts serving an app and returns at once.

    Raises ConfigError for an app or a setting that cannot work, NativeError when the engine's library cannot be
    loaded, OSError when the address cannot be listened on.
    """
    config = Config() if config is None else config
    if config.engine == "portable":
        raise ConfigError("the portable engine is not built yet; use engine='native' or 'auto'")
    compiled = getattr(app, "compile", None)
    if compiled is None:
        raise ConfigError(f"{app!r} is not an app: give a Router")
    table: RouteTable = compiled()
    return RunningServer(Server.launch(table, config), config)


class RunningServer:
    """A server that was started. All of it may be called from any thread."""

    def __init__(self, server: Server, config: Config) -> None:
        self._server = server
        self._config = config
        self.ref: pykka.ActorRef[Server] = server.actor_ref
        self.port = server.port

    @property
    def url(self) -> str:
        """ "http://127.0.0.1:8000", "http://[::1]:8000" or "unix:/path"."""
        if self._config.uds is not None:
            return f"unix:{self._config.uds}"
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"http://{host}:{self.port}"

    @property
    def wakeup_fd(self) -> int:
        """For `signal.set_wakeup_fd`: a signal then ends `wait`'s sleep even when another thread has received it."""
        return self._server.engine.wakeup_fd

    def stats(self) -> dict[str, int]:
        """The engine's counters, and the threads of the blocking pool."""
        return self._server.stats()

    def drain(self, timeout_ms: int) -> bool:
        """Stops accepting, lets what is open finish for this long at most, then stops. True when all had finished."""
        server = self._server
        try:
            server.engine.drain()
        except NativeError:
            return server.drained  # it has stopped already
        deadline = time.monotonic() + timeout_ms / 1000
        with server.changed:
            while not (server.drained or server.stopped) and (left := deadline - time.monotonic()) > 0:
                server.changed.wait(left)
            finished = server.drained
        self.stop()
        return finished

    def stop(self) -> None:
        """Stops at once: connections close, whatever is open. Calling it again does nothing."""
        self._server.halt()

    def wait(self) -> None:
        """Returns when the server has stopped. In the main thread signal handlers run meanwhile."""
        server = self._server
        with server.changed:
            while not server.stopped:
                server.changed.wait()
