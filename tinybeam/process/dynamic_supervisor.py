"""DynamicSupervisor: a supervisor of children that come and go, which it knows by their refs.

Owns:  its children, of which there may be very many, and how many there may be.
Knows: Elixir's DynamicSupervisor: one_for_one, no ids, no order; all children end at once.
Never: does anything that takes longer when there are more children, but to list and to end them.
"""

from __future__ import annotations

from typing import Any

from tinybeam.errors import ProcessError
from tinybeam.process.base_supervisor import BaseSupervisor, ask
from tinybeam.process.child_errors import BadSpec, ChildNotFound, TooManyChildren
from tinybeam.process.children import MAX_RESTARTS, MAX_SECONDS, check_intensity
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.errors import BadReturn, StartFailed
from tinybeam.process.reasons import SHUTDOWN, is_orderly
from tinybeam.process.ref import ProcessRef
from tinybeam.process.results import Stop
from tinybeam.process.roster import Child, ChildCounts, ChildInfo, counts, infos


class Limits:
    """What a DynamicSupervisor's init returns. `max_children` None: no limit. Raises BadSpec, a ConfigError.

    `extra_arguments` come before the arguments of every child.
    """

    __slots__ = ("extra_arguments", "max_children", "max_restarts", "max_seconds")

    def __init__(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int = MAX_RESTARTS,
        max_seconds: float = MAX_SECONDS,
        extra_arguments: tuple[Any, ...] = (),
    ) -> None:
        if max_children is not None and (type(max_children) is not int or max_children < 0):
            raise BadSpec(f"max_children must be a whole number, 0 or more, or None, not {max_children!r}")
        check_intensity(max_restarts, max_seconds)
        self.max_children = max_children
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self.extra_arguments = tuple(extra_arguments)


class DynamicSupervisor(BaseSupervisor):
    """`DynamicSupervisor.start_link(max_children=..., name=...)`: see Limits for the options. It starts empty.

    >>> from tinybeam.process import GenServer
    >>> class Session(GenServer): ...
    >>> sessions = DynamicSupervisor.start_link(max_children=1)
    >>> session = DynamicSupervisor.start_child(sessions, (Session, "ada"))
    >>> DynamicSupervisor.start_child(sessions, (Session, "bob"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tinybeam.process.child_errors.TooManyChildren: DynamicSupervisor ... has 1 children, as many as max_children allows
    >>> DynamicSupervisor.terminate_child(sessions, session)
    >>> sessions.stop()
    True

    Or a class of its own, whose `init` returns Limits. The functions below take a ref or a name of the supervisor.
    """

    _limits: Limits
    # Under the ref that it runs as, or ran as before it was to be started again.
    _running: dict[Any, Child]

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Returns Limits, Ignore() or Stop(reason). Unless overridden: `Limits(...)`."""
        try:
            return Limits(*args, **kwargs)
        except TypeError as error:
            raise BadSpec(f"{type(self).__name__}: {error}; see Limits for the options") from None

    # For everybody.

    @staticmethod
    def start_child(supervisor: Any, child: Any, *, timeout: float | None = None) -> ProcessRef[Any] | None:
        """Starts one more child; its spec's id does not matter. None when its init returned Ignore().

        Raises BadSpec, TooManyChildren and StartFailed.
        """
        started: ProcessRef[Any] | None = ask(supervisor, ("start_child", child_spec(child)), timeout)
        return started

    @staticmethod
    def terminate_child(supervisor: Any, ref: ProcessRef[Any], *, timeout: float | None = None) -> None:
        """Ends a child, and forgets it. Raises ChildNotFound."""
        ask(supervisor, ("terminate_child", ref), timeout)

    @staticmethod
    def which_children(supervisor: Any, *, timeout: float | None = None) -> list[ChildInfo]:
        """All children; their ids are None."""
        children: list[ChildInfo] = ask(supervisor, ("which_children", None), timeout)
        return children

    @staticmethod
    def count_children(supervisor: Any, *, timeout: float | None = None) -> ChildCounts:
        """How many children there are, how many of them run, and how many are supervisors and workers."""
        counted: ChildCounts = ask(supervisor, ("count_children", None), timeout)
        return counted

    # Begin and end.

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super()._begin(args, kwargs)
        limits = self._state
        if not isinstance(limits, Limits):
            raise BadReturn(f"{type(self).__name__}.init returned {limits!r}; return Limits")
        self._limits = limits
        self._running = self._state = {}
        self._supervise(limits.max_restarts, limits.max_seconds)

    def terminate(self, reason: Any, state: Any) -> None:  # noqa: ARG002
        """Ends all children at once."""
        for child in self._running.values():
            self._end_pause(child)
        self._end_children(list(self._running.values()))
        self._running.clear()

    # Restarts.

    def _child_ended(self, ref: Any, reason: object) -> Any:
        child = self._running.get(ref)
        if child is None:  # it was ended by us, or never was a child
            return self._state
        spec, orderly = child.spec, is_orderly(reason)
        if spec.restart == "permanent" or (spec.restart == "transient" and not orderly):
            return self._restart(child, reason)
        if not orderly:
            self._report.child_terminated(spec, ref, reason, "it is not started again")
        del self._running[ref]
        return self._state

    def _try_again(self, key: Any) -> Any:
        child = self._running.get(key)
        return self._state if child is None or not child.restarting else self._restart(child)

    def _restart(self, child: Child, *reason: object) -> Any:
        earlier, spec = child.ref, child.spec
        if reason and child.backoff is not None:
            child.restarting = True
            pause_ms = self._pause(child, earlier)
            self._report.child_terminated(spec, earlier, reason[0], f"it is started again in {pause_ms} ms")
            return self._state
        if not self._may_restart(child, *reason):
            del self._running[earlier]
            return Stop(SHUTDOWN)
        try:
            ref = self._launch(child, *self._limits.extra_arguments)
        except StartFailed as error:
            self._report.start_error(spec, error.reason)
            child.restarting = True
            self._try_again_later(child, earlier)
            return self._state
        del self._running[earlier]
        self._runs_as(child, ref)
        return self._state

    def _runs_as(self, child: Child, ref: ProcessRef[Any] | None) -> None:
        child.restarting = False
        child.ref = ref
        if ref is not None:
            self._running[ref] = child

    # Calls.

    def _answer_to(self, verb: str, argument: Any) -> Any:
        match verb:
            case "start_child":
                return self._add(argument)
            case "terminate_child":
                self._end(argument)
                return None
            case "which_children":
                return infos(iter(self._running.values()), with_ids=False)
            case "count_children":
                return counts(iter(self._running.values()))
        raise ProcessError(f"{self} is a supervisor, and was asked to {verb}")

    def _add(self, spec: ChildSpec) -> ProcessRef[Any] | None:
        if self._limits.max_children is not None and len(self._running) >= self._limits.max_children:
            raise TooManyChildren(f"{self} has {len(self._running)} children, as many as max_children allows")
        if spec.significant:
            raise BadSpec(f"child {spec}: significant must not be set for a child of a DynamicSupervisor")
        child = Child(spec)
        ref = self._launch(child, *self._limits.extra_arguments)
        self._runs_as(child, ref)
        return ref

    def _end(self, ref: Any) -> None:
        child = self._running.pop(ref, None)
        if child is None:
            raise ChildNotFound(f"{self} has no child {ref}")
        self._end_pause(child)
        self._end_children([child])
