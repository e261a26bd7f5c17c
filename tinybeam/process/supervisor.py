"""Supervisor: a process that starts its children in order, starts them again when they crash, and ends with them.

Owns:  the three strategies, automatic shutdown, and the calls that change the children.
Knows: OTP's supervisor (stdlib, supervisor.erl), whose rules these are.
Never: waits for a busy child, but to start it or to end it; ends and leaves a child behind.
"""

from __future__ import annotations

from collections.abc import Hashable
from inspect import signature
from typing import Any

from tinybeam.errors import ProcessError
from tinybeam.process.base_supervisor import BaseSupervisor, ask
from tinybeam.process.child_errors import BadSpec, ChildNotFound, ChildPresent, ChildRestarting, ChildRunning
from tinybeam.process.children import Children, check_significant
from tinybeam.process.childspec import ChildSpec, child_spec, said_id
from tinybeam.process.errors import AlreadyStarted, BadReturn, StartFailed
from tinybeam.process.reasons import SHUTDOWN, is_orderly
from tinybeam.process.ref import ProcessRef
from tinybeam.process.results import Stop
from tinybeam.process.roster import Child, ChildCounts, ChildInfo, Roster, counts, infos


class Supervisor(BaseSupervisor):
    """`Supervisor.start_link(children, strategy=..., name=...)`: see Children for the children and the options.

    Or a class of its own, whose `init` is given what `start_link` is, and returns Children, or a list of them:

    >>> from tinybeam.process import Process
    >>> class Shop(Supervisor):
    ...     def init(self, currency):
    ...         return Children([Till, (Ledger, currency)], strategy="rest_for_one")
    >>> class Till(Process): ...
    >>> class Ledger(Process): ...
    >>> shop = Shop.start_link("SEK")
    >>> [info.id.__name__ for info in Supervisor.which_children(shop)]
    ['Till', 'Ledger']
    >>> shop.stop()
    True

    The functions below take a ref or a name of the supervisor. Raises StartFailed when a child cannot start, after the
    children before it were ended; the reason is `("shutdown", ("failed_to_start_child", id, reason))`.
    """

    _children: Children
    _roster: Roster

    def init(self, *args: Any, **kwargs: Any) -> Any:
        """Returns Children, a list of them, Ignore() or Stop(reason). Unless overridden: `Children(...)`."""
        try:
            signature(Children).bind(*args, **kwargs)
        except TypeError as error:
            raise BadSpec(f"{type(self).__name__}: {error}; see Children for the options") from None
        return Children(*args, **kwargs)

    # For everybody.

    @staticmethod
    def start_child(supervisor: Any, child: Any, *, timeout: float | None = None) -> ProcessRef[Any] | None:
        """Adds a child, after the others, and starts it. None when its init returned Ignore().

        Raises BadSpec, AlreadyStarted when a child of this id runs, ChildPresent when there is one that does not run,
        and StartFailed; after which there is no such child.
        """
        started: ProcessRef[Any] | None = ask(supervisor, ("start_child", child_spec(child)), timeout)
        return started

    @staticmethod
    def terminate_child(supervisor: Any, child_id: Hashable, *, timeout: float | None = None) -> None:
        """Ends a child, and keeps its spec, unless it is temporary. Raises ChildNotFound."""
        ask(supervisor, ("terminate_child", child_id), timeout)

    @staticmethod
    def restart_child(supervisor: Any, child_id: Hashable, *, timeout: float | None = None) -> ProcessRef[Any] | None:
        """Starts a child that does not run. Raises ChildNotFound, ChildRunning, ChildRestarting and StartFailed."""
        started: ProcessRef[Any] | None = ask(supervisor, ("restart_child", child_id), timeout)
        return started

    @staticmethod
    def delete_child(supervisor: Any, child_id: Hashable, *, timeout: float | None = None) -> None:
        """Forgets a child that does not run. Raises ChildNotFound, ChildRunning and ChildRestarting."""
        ask(supervisor, ("delete_child", child_id), timeout)

    @staticmethod
    def get_childspec(supervisor: Any, child: Any, *, timeout: float | None = None) -> ChildSpec:
        """The spec of a child, by its id or its ref. Raises ChildNotFound."""
        spec: ChildSpec = ask(supervisor, ("get_childspec", child), timeout)
        return spec

    @staticmethod
    def which_children(supervisor: Any, *, timeout: float | None = None) -> list[ChildInfo]:
        """All children, in the order in which they start."""
        children: list[ChildInfo] = ask(supervisor, ("which_children", None), timeout)
        return children

    @staticmethod
    def count_children(supervisor: Any, *, timeout: float | None = None) -> ChildCounts:
        """How many specs there are, how many children run, and how many are supervisors and workers."""
        counted: ChildCounts = ask(supervisor, ("count_children", None), timeout)
        return counted

    # Begin and end.

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super()._begin(args, kwargs)
        children = self._state
        if isinstance(children, list | tuple):
            children = Children(children)
        if not isinstance(children, Children):
            raise BadReturn(f"{type(self).__name__}.init returned {children!r}; return Children or a list of children")
        self._children = children
        self._roster = self._state = Roster()
        self._supervise(children.max_restarts, children.max_seconds)
        for spec in children.specs:
            self._roster.add(Child(spec))
        failure = self._start_all(list(self._roster))
        if failure is not None:
            child, error = failure
            self._end_all(list(self._roster))
            if isinstance(error.reason, KeyboardInterrupt):
                raise error.reason
            reason = (SHUTDOWN, ("failed_to_start_child", child.spec.id, error.reason))
            raise StartFailed(
                f"{type(self).__name__} could not start its child {child.spec}: {error}", reason
            ) from error

    def terminate(self, reason: Any, state: Any) -> None:  # noqa: ARG002
        """Ends all children, the last first."""
        self._end_all(list(self._roster))

    def _start_all(self, children: list[Child]) -> tuple[Child, StartFailed] | None:
        """Starts children in their order. The one that failed, and why; those before it run."""
        for child in children:
            try:
                ref = self._launch(child)
            except StartFailed as error:
                return child, error
            if ref is None and child.spec.restart == "temporary":
                self._roster.remove(child)
            else:
                self._roster.runs_as(child, ref)
        return None

    def _end_all(self, children: list[Child]) -> None:
        """Ends children one by one, the last first; of the temporary ones nothing stays."""
        for child in reversed(children):
            self._end_pause(child)
            if child.ref is not None:
                self._end_children([child])
            self._roster.ended(child)

    # Restarts.

    def _child_ended(self, ref: Any, reason: object) -> Any:
        child = self._roster.of(ref)
        if child is None:  # it was ended by us, or never was a child
            return self._state
        spec, orderly = child.spec, is_orderly(reason)
        if spec.restart == "permanent" or (spec.restart == "transient" and not orderly):
            return self._restart(child, reason)
        if not orderly:
            self._report.child_terminated(spec, ref, reason, "it is not started again")
        self._roster.ended(child)
        return Stop(SHUTDOWN) if spec.significant and self._shall_end() else self._state

    def _shall_end(self) -> bool:
        """A significant child has ended for good."""
        if self._children.auto_shutdown == "all_significant":
            return not any(child.spec.significant and child.now is not None for child in self._roster)
        return self._children.auto_shutdown == "any_significant"

    def _try_again(self, key: Any) -> Any:
        child = self._roster.find(key)
        return self._state if child is None or not child.restarting else self._restart(child)

    def _restart(self, child: Child, *reason: object) -> Any:
        """Starts again a child, and with it whom the strategy says."""
        if reason and child.backoff is not None:
            return self._postpone(child, reason[0])
        if not self._may_restart(child, *reason):
            self._roster.ended(child)
            return Stop(SHUTDOWN)
        # It needs no end any more.
        self._roster.ended(child)
        failure = self._start_all(self._ended_with(child))
        if failure is not None:
            failed, error = failure
            self._report.start_error(failed.spec, error.reason)
            self._roster.ended(failed, restarting=True)
            self._try_again_later(failed, failed.spec.id)
        return self._state

    def _postpone(self, child: Child, reason: object) -> Any:
        """A child that is given a pause has ended: those that the strategy starts with it end at once."""
        ref = child.ref
        self._roster.ended(child)
        self._ended_with(child)
        child.restarting = True
        pause_ms = self._pause(child, child.spec.id)
        self._report.child_terminated(child.spec, ref, reason, f"it is started again in {pause_ms} ms")
        return self._state

    def _ended_with(self, child: Child) -> list[Child]:
        """Ends whom the strategy says. All that are to be started then, in their order, the child itself among them."""
        strategy = self._children.strategy
        if strategy == "one_for_one":
            return [child]
        children = list(self._roster) if strategy == "one_for_all" else self._roster.from_on(child)
        self._end_all(children)
        return [one for one in children if self._roster.find(one.spec.id) is one]

    # Calls.

    def _answer_to(self, verb: str, argument: Any) -> Any:
        match verb:
            case "which_children":
                return infos(iter(self._roster))
            case "count_children":
                return counts(iter(self._roster))
            case "start_child":
                return self._add(argument)
            case "get_childspec":
                return self._known(argument, by_ref=True).spec
        child = self._known(argument)
        match verb:
            case "terminate_child":
                self._end_all([child])
            case "restart_child":
                self._check_idle(child)
                self._roster.runs_as(child, self._launch(child))
                return child.ref
            case "delete_child":
                self._check_idle(child)
                self._roster.remove(child)
            case _:
                raise ProcessError(f"{self} is a supervisor, and was asked to {verb}")
        return None

    def _add(self, spec: ChildSpec) -> ProcessRef[Any] | None:
        check_significant(spec, self._children.auto_shutdown)
        child = self._roster.find(spec.id)
        if child is not None and child.ref is not None:
            raise AlreadyStarted(f"{self} has a child {spec}, which runs as {child.ref}", child.ref)
        if child is not None:
            raise ChildPresent(f"{self} has a child {spec}, which does not run; restart_child or delete_child it")
        child = Child(spec)
        child.ref = self._launch(child)
        if child.ref is not None or spec.restart != "temporary":
            self._roster.add(child)
        return child.ref

    def _known(self, key: Any, *, by_ref: bool = False) -> Child:
        child = self._roster.of(key) if by_ref and isinstance(key, ProcessRef) else self._roster.find(key)
        if child is None:
            raise ChildNotFound(f"{self} has no child {said_id(key)}")
        return child

    def _check_idle(self, child: Child) -> None:
        if child.restarting:
            raise ChildRestarting(f"child {child.spec} of {self} is being started again")
        if child.ref is not None:
            raise ChildRunning(f"child {child.spec} of {self} runs as {child.ref}; terminate_child it first")
