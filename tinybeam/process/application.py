"""An application: a tree of processes that is started and stopped as a whole.

Owns:  the children at the root, and what happens before the first of them starts and after the last has ended.
Knows: that a child may be something that another room makes a child of, such as a router.
Never: starts twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Any

from tinybeam.process.children import MAX_RESTARTS, MAX_SECONDS, Strategy
from tinybeam.process.ending import when_ended
from tinybeam.process.errors import AlreadyStarted
from tinybeam.process.ref import ProcessRef
from tinybeam.process.supervisor import Supervisor

logger = logging.getLogger("tinybeam.process")


class Application:
    """`Application([Ledger, (Counter, 0)])`, or a subclass with `children`, `starting` and `stopped` of its own.

    >>> from tinybeam.process import GenServer
    >>> class Counter(GenServer): ...
    >>> with Application([Counter.child_spec(0, name="counter")]) as application:
    ...     application.running
    True
    """

    def __init__(
        self,
        children: Iterable[Any] = (),
        *,
        strategy: Strategy = "one_for_one",
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        self._children = tuple(children)
        self.options: dict[str, Any] = {
            "strategy": strategy,
            "max_restarts": max_restarts,
            "max_seconds": max_seconds,
        }
        self._root: ProcessRef[Any] | None = None
        self._ended = threading.Event()

    def children(self) -> Iterable[Any]:
        """The children, in the order in which they start; see Supervisor."""
        return self._children

    def starting(self) -> None:
        """Before the first child starts. What it raises keeps the application from starting."""

    def stopped(self) -> None:
        """After the last child has ended. What it raises is logged."""

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._root is not None and self._root.is_alive()

    def start(self) -> ProcessRef[Any]:
        """Starts the children, and gives the ref of their supervisor.

        Raises ConfigError for a child that is none, StartFailed for one that cannot start, AlreadyStarted.
        """
        if self._root is not None and self._root.is_alive():
            raise AlreadyStarted("the application is running", self._root)
        self.starting()
        self._ended.clear()
        root = self._root = Supervisor.start(tuple(self.children()), **self.options)
        when_ended(root, self._end)
        return root

    def stop(self, timeout: float | None = None) -> None:
        """Ends the children, the last first, each in the time that it may take. Nothing when it is not running.

        Raises CallTimeout when that takes longer than so many seconds; it goes on.
        """
        if self._root is not None:
            self._root.stop("shutdown", timeout=timeout)
            self._ended.wait(timeout)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits for so many seconds until all have ended. False when they have not."""
        return self._ended.wait(timeout)

    def _end(self) -> None:
        # In a thread of its own: whoever has ended the last process has others to tell.
        threading.Thread(target=self._finish, name="tinybeam-application").start()

    def _finish(self) -> None:
        try:
            self.stopped()
        except Exception:
            logger.exception("what follows the end of %r has raised", self)
        finally:
            self._ended.set()

    def __enter__(self) -> Application:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
