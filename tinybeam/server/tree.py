"""The tree that a server stands in: what the user wants beside it first, the server last.

Owns:  the order of the children, which is the order of a stop the other way round: the server stops accepting and
       finishes what is open, and only then does the user's state go.
Knows: that a server which is started again listens where it did before.
Never: runs a request.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from typing import Any, Final

from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.process import (
    Children,
    ChildSpec,
    GenServer,
    ProcessRef,
    StartFailed,
    Stop,
    Supervisor,
    when_ended,
)
from tinybeam.server.actor import Server
from tinybeam.server.plan import Plan

logger = logging.getLogger("tinybeam.server")

# Beyond the time that a drain may take, for the rest of a stop.
_GRACE_MS: Final = 5000


class Site:
    """Where a server stands: what to serve and how, and which one serves at present."""

    def __init__(self, plan: Plan, config: Config) -> None:
        self.plan = plan
        self.config = config
        # Notified by a stop, a finished drain, and each signal.
        self.changed = threading.Condition()
        self.server: Server
        # Whether the whole tree has ended.
        self.ended = False

    def open(self) -> Server:
        """Starts a server; the second one listens on the port that the first one was given."""
        server = self.server = Server.launch(self.plan.table, self.config, self.changed)
        if server.port is not None:
            self.config = dataclasses.replace(self.config, port=server.port)
        return server

    def end(self) -> None:
        """The tree has ended. In a thread of its own, since the application's code may take its time."""
        threading.Thread(target=self._finish, name="tinybeam-end").start()

    def _finish(self) -> None:
        try:
            self.plan.application.stopped()
        except Exception:
            logger.exception("what follows the end of the application has raised")
        with self.changed:
            self.ended = True
            self.changed.notify_all()


class ServerProcess(GenServer):
    """The server as a child. It ends when its server has stopped, and stops it when it is to end."""

    trap_exit = True

    def init(self, site: Site) -> Site:
        """Listens and serves. Raises what the server's start raises."""
        ref = self._actor_ref
        site.open().tell_when_stopped(lambda: ref.send("stopped"))
        return site

    def handle_info(self, message: Any, site: Site) -> Any:
        """The server has stopped: as it was asked, or because it gave up."""
        if message != "stopped":
            return site
        return Stop("broken" if site.server.broken else "normal")

    def terminate(self, _reason: Any, site: Site) -> None:
        """Finishes what is open, and stops."""
        drain(site.server, site.config.drain_timeout_ms)
        site.server.halt()


def drain(server: Server, timeout_ms: int) -> bool:
    """Has the server accept nothing new and finish what is open, for so long at most. True when all was finished."""
    try:
        server.drain()
    except NativeError:
        return server.drained  # it has stopped already
    deadline = time.monotonic() + timeout_ms / 1000
    with server.changed:
        while not (server.drained or server.stopped) and (left := deadline - time.monotonic()) > 0:
            server.changed.wait(left)
        return server.drained


def start_tree(site: Site) -> ProcessRef[Any]:
    """Starts the children, under a supervisor of their own, and then the server.

    When that supervisor has to give up, both are started anew; when the server is stopped, all ends. Raises what the
    server's start raises, and ConfigError for a
    child that is none, and StartFailed for one that cannot start.
    """
    server = ChildSpec(
        id=ServerProcess,
        start=ServerProcess.start_link,
        args=(site,),
        restart="transient",
        significant=True,
        shutdown=site.config.drain_timeout_ms + _GRACE_MS,
    )
    application = site.plan.application
    options = application.options
    specs = Children(site.plan.children, **options).specs  # before anything starts
    beside = ChildSpec(id="children", start=Supervisor.start_link, args=(specs,), kwargs=options, type="supervisor")
    tree = [beside, server] if specs else [server]
    application.starting()
    try:
        root = Supervisor.start(tree, strategy="rest_for_one", auto_shutdown="any_significant")
    except StartFailed as error:
        raise _cause(error) from error
    when_ended(root, site.end)
    return root


def _cause(error: StartFailed) -> BaseException:
    """What the server's own start raised, if it was that."""
    match error.reason:
        case ("shutdown", ("failed_to_start_child", child, BaseException() as reason)) if child is ServerProcess:
            return reason
    return error
