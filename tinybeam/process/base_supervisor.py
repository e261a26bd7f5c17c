"""What all supervisors have in common.

Owns:  the start of a child so that it is its supervisor's, the count of restarts, and how supervisors are asked.
Knows: that a start function is the user's code, and may return anything; that a supervisor may be killed at any time.
Never: leaves a child running that nobody supervises; lets what a child raises out.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, ClassVar, NamedTuple

from tinybeam.errors import ProcessError
from tinybeam.process import bonds
from tinybeam.process.childspec import ChildSpec
from tinybeam.process.destinations import ref_of
from tinybeam.process.ending import exit
from tinybeam.process.errors import CallTimeout, NoProcess, StartFailed, StartIgnored
from tinybeam.process.genserver import GenServer
from tinybeam.process.intensity import Intensity
from tinybeam.process.messages import INFO, Exit
from tinybeam.process.reasons import KILL, KILLED, said
from tinybeam.process.ref import ProcessRef
from tinybeam.process.results import Ignore, NoReply
from tinybeam.process.roster import Child
from tinybeam.process.shutdown import end_children
from tinybeam.process.supervisor_report import SupervisorReport, logger
from tinybeam.process.tally import restarts
from tinybeam.process.timers import cancel_timer, send_after


class TryAgain(NamedTuple):
    """What a supervisor sends to itself when a child could not be started again."""

    key: Any


class BaseSupervisor(GenServer):
    """Supervisor and DynamicSupervisor."""

    trap_exit = True
    clock: ClassVar[Callable[[], float]] = staticmethod(monotonic)
    """The seconds by which restarts are counted."""

    _child_type: ClassVar = "supervisor"
    # The thread in which it is starting a child.
    _starting_in: int | None = None

    _intensity: Intensity
    _report: SupervisorReport

    def _supervise(self, max_restarts: int, max_seconds: float) -> None:
        """Gets ready."""
        self._intensity = Intensity(max_restarts, max_seconds, type(self).clock)
        self._report = SupervisorReport(self)

    def _launch(self, child: Child, *extra: Any) -> ProcessRef[Any] | None:
        """Starts a child. None when it has nothing to do. Raises StartFailed, and nothing else."""
        ref = self._started(child.spec, (*extra, *child.spec.args))
        if child.backoff is not None:
            child.backoff.on_start(type(self).clock())
        return ref

    def _started(self, spec: ChildSpec, args: tuple[Any, ...]) -> ProcessRef[Any] | None:
        self._starting_in = get_ident()
        try:
            ref = spec.starter(*args, **spec.kwargs)
        except StartIgnored:
            return None
        except StartFailed:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit in a start function stops no supervisor
            raise StartFailed(f"child {spec} could not start: {said(error)}", error) from error
        finally:
            self._starting_in = None
        if ref is None or isinstance(ref, Ignore):
            return None
        if not isinstance(ref, ProcessRef):
            raise StartFailed(
                f"child {spec}: its start returned {said(ref)}; it must return the ref of a process that it has linked",
                ("bad_return", ref),
            )
        self._adopt(ref)
        return ref

    def _adopt(self, ref: ProcessRef[Any]) -> None:
        """Makes sure that it is the child's parent and linked to it, as it is if the child came from a start_link."""
        process = ref._process
        if process is None:
            return  # it has ended already, and we have been told
        with bonds.lock:
            linked = bonds.link(self, process)
            if linked and bonds.bonds_of(process).parent is None:
                bonds.bonds_of(process).parent = self._actor_ref
        if not linked and self._dead:
            exit(ref, KILL)
            raise StartFailed(f"{self} was killed when it had just started {ref}", KILLED)

    def _end_children(self, children: Iterable[Child]) -> None:
        """Ends children that run, all at once, and reports those that did not end as they should."""
        for ended in end_children(self, children):
            if not ended.as_told:
                self._report.shutdown_error(ended.child.spec, ended.ref, ended.reason)

    def _may_restart(self, child: Child, *reason: object) -> bool:
        """Reports an end, and counts the restart that comes. False when there have been too many."""
        if child.backoff is None and not self._intensity.allows_another():
            self._report_end(child, *reason)
            self._report.gave_up(child.spec, self._intensity)
            return False
        restarts.add()
        self._report_end(child, *reason)
        return True

    def _report_end(self, child: Child, *reason: object) -> None:
        if reason:
            self._report.child_terminated(child.spec, child.ref, reason[0], self._intensity)

    def _try_again_later(self, child: Child, key: Any) -> None:
        """After a pause, or what waits by now, so that a child that cannot start keeps nobody from being heard."""
        if child.backoff is None:
            self._post((INFO, TryAgain(key), None))
        else:
            self._pause(child, key)

    def _pause(self, child: Child, key: Any) -> int:
        """Lets a child rest before it is started again. For so many milliseconds."""
        backoff: Any = child.backoff
        pause_ms: int = backoff.next_ms(type(self).clock())
        backoff.timer = send_after(self._actor_ref, TryAgain(key), pause_ms)
        return pause_ms

    @staticmethod
    def _end_pause(child: Child) -> None:
        """Nobody waits any more for a child to be started again."""
        if child.backoff is not None and child.backoff.timer is not None:
            cancel_timer(child.backoff.timer)
            child.backoff.timer = None

    # The callbacks. A message that is no supervisor's does not crash it: it answers for others.

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        """What is refused is raised where it was asked for."""
        try:
            return self._answer_to(*message), state
        except ProcessError as refusal:
            from_.fail(refusal)
        except TypeError as error:
            from_.fail(ProcessError(f"{self} is a supervisor, and was called with {said(message)}: {error}"))
        return NoReply(state)

    def handle_cast(self, message: Any, state: Any) -> Any:
        """No supervisor has any."""
        logger.warning("%s is a supervisor, and was cast %s", self, said(message))
        return state

    def handle_info(self, message: Any, state: Any) -> Any:
        """The ends of children, and that it is time to start one again; anything else is nobody's business here."""
        if type(message) is Exit:
            return self._child_ended(message.process, message.reason)
        if type(message) is TryAgain:
            return self._try_again(message.key)
        return super().handle_info(message, state)

    def _child_ended(self, ref: Any, reason: object) -> Any:
        raise NotImplementedError

    def _try_again(self, key: Any) -> Any:
        raise NotImplementedError

    def _answer_to(self, verb: str, argument: Any) -> Any:
        raise NotImplementedError


def ask(supervisor: Any, message: Any, timeout: float | None) -> Any:
    """Calls a supervisor, by ref or name. Raises what it refuses with, besides what any call raises."""
    ref = ref_of(supervisor)
    if ref is None:
        raise NoProcess(f"there is no supervisor {said(supervisor)}")
    process = ref._process
    if process is not None and getattr(process, "_starting_in", None) == get_ident():
        raise CallTimeout(f"{ref} is starting the very process that calls it, and would be waited for for ever")
    return ref.call(message, timeout)
