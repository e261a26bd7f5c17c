"""A server that runs: what the command line and the tests hold in their hands.

Owns:  the way to start one, to wait for it, to drain it and to stop it.
Knows: the server actor.
Never: polls: waiting is for an event, and a signal wakes it.
"""

from __future__ import annotations

from typing import Any

import pykka

from tinybeam.config import Config
from tinybeam.process import ProcessRef, is_guest
from tinybeam.server.actor import Server
from tinybeam.server.plan import App, plan
from tinybeam.server.request_process import RunningRequest
from tinybeam.server.tree import Site, drain, start_tree


def serve(app: App, config: Config | None = None) -> RunningServer:
    """Starts serving an app, a Router or an Application whose last child is one, and returns at once.

    Raises ConfigError for an app or a setting that cannot work, NativeError when the engine's library cannot be
    loaded, OSError when the address cannot be listened on.
    """
    config = Config() if config is None else config
    planned = plan(app)
    site = Site(planned, config)
    return RunningServer(site, start_tree(site))


class RunningServer:
    """A server that was started, and what runs beside it. All of it may be called from any thread."""

    def __init__(self, site: Site, root: ProcessRef[Any]) -> None:
        self._site = site
        self._root = root
        self.port = site.server.port

    @property
    def ref(self) -> pykka.ActorRef[Server]:
        """The server's actor; another one after it was started anew."""
        return self._site.server.actor_ref

    @property
    def _server(self) -> Server:
        return self._site.server

    @property
    def url(self) -> str:
        """ "http://127.0.0.1:8000", "http://[::1]:8000" or "unix:/path"."""
        config = self._site.config
        if config.uds is not None:
            return f"unix:{config.uds}"
        host = f"[{config.host}]" if ":" in config.host else config.host
        return f"http://{host}:{self.port}"

    @property
    def wakeup_fd(self) -> int:
        """For `signal.set_wakeup_fd`: a signal then ends `wait`'s sleep even when another thread has received it."""
        return self._server.engine.wakeup_fd

    def stats(self) -> dict[str, int]:
        """The engine's counters, the threads of the blocking pool, and what `process_stats` tells of processes."""
        return self._server.stats()

    def requests(self) -> list[RunningRequest]:
        """The requests whose handlers run now: `exit(one.ref, "kill")` tells a client 503 and forgets its handler."""
        return self._server.requests()

    def drain(self, timeout_ms: int) -> bool:
        """Stops accepting, lets what is open finish for this long at most, then stops. True when all had finished."""
        finished = drain(self._server, timeout_ms)
        self.stop()
        return finished

    def stop(self) -> None:
        """Stops at once: connections close, whatever is open, and then the children end, in the time that they may
        take. Calling it again does nothing."""
        self._server.halt()
        if is_guest():
            self._root.actor_stopped.wait()

    def wait(self) -> None:
        """Returns when the server has stopped. In the main thread signal handlers run meanwhile."""
        site = self._site
        with site.changed:
            while not site.ended:
                site.changed.wait()
