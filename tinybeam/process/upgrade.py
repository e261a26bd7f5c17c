"""Hot code upgrade: a module is loaded anew, and its processes go on with the new code and their state.

Owns:  the order: hold all of them, load, change each state, let them go on; and the way back.
Knows: that Python's reload runs a module in its old namespace, of which a copy is all that is needed to undo it.
Never: loses a message: those wait in the mailboxes meanwhile; leaves some with the new code and some with the old.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import threading
from types import ModuleType
from typing import Any, NamedTuple

from tinybeam.process import bonds
from tinybeam.process.errors import CallTimeout, NoProcess, UpgradeFailed
from tinybeam.process.introspection import request, resume, suspend
from tinybeam.process.process import Process
from tinybeam.process.reasons import said
from tinybeam.process.ref import CALL_TIMEOUT_S

logger = logging.getLogger("tinybeam.process")

_one_at_a_time = threading.Lock()


class Upgraded(NamedTuple):
    """What `upgrade` has done: how many processes of which classes go on with new code."""

    processes: int
    classes: tuple[str, ...]


class _Change(NamedTuple):
    """One process that has been changed, as it was before."""

    ref: Any
    old_class: type[Process]
    old_state: Any


def upgrade(module: ModuleType, timeout: float | None = CALL_TIMEOUT_S) -> Upgraded:
    """Reloads a module, and has its processes go on with the new code (sys:change_code/4).

    Each process whose class the module defines is held between two messages; `code_change(old_version, state)` of its
    new class gives it its state, where `old_version` is the old class's attribute `version` (None without one). When
    anything fails, the old code and the old states stay in place and UpgradeFailed says what it was; it is raised also
    when a process is in the middle of a message for longer than `timeout` seconds.
    """
    with _one_at_a_time:
        old = dict(module.__dict__)
        held: list[Any] = []
        changes: list[_Change] = []
        try:
            _hold_all(module, held, timeout)
            importlib.reload(module)
            for ref in held:
                new_class = _new_class(ref, module)
                with contextlib.suppress(NoProcess):  # it was killed meanwhile
                    changes.append(_change(ref, new_class, timeout))
        except BaseException as error:
            for change in changes:
                _undo(change, timeout)
            module.__dict__.clear()
            module.__dict__.update(old)
            logger.error("the upgrade of %s failed, and its old code goes on: %s", module.__name__, said(error))
            if isinstance(error, Exception) and not isinstance(error, UpgradeFailed):
                raise UpgradeFailed(f"{module.__name__} goes on with its old code: {said(error)}") from error
            raise
        finally:
            for ref in held:
                _resume(ref)
    classes = tuple(sorted({change.old_class.__qualname__ for change in changes}))
    logger.info("upgraded %s: %d processes of %s", module.__name__, len(changes), ", ".join(classes) or "no class")
    return Upgraded(len(changes), classes)


def _hold_all(module: ModuleType, held: list[Any], timeout: float | None) -> None:
    """Suspends the module's processes, and those that they have started meanwhile."""
    while True:
        with bonds.lock:
            found = [one._actor_ref for one in bonds.processes if type(one).__module__ == module.__name__]
        known = set(held)
        fresh = [ref for ref in found if ref not in known]
        if not fresh:
            return
        for ref in fresh:
            held.append(ref)
            with contextlib.suppress(NoProcess):
                suspend(ref, timeout)


def _new_class(ref: Any, module: ModuleType) -> type[Process]:
    """What the module calls by now what the process is."""
    found: Any = module
    for name in ref.actor_class.__qualname__.split("."):
        found = getattr(found, name, None)
    # A name that the new code does not bind still is what the old code bound it to.
    if found is ref.actor_class or not (isinstance(found, type) and issubclass(found, Process)):
        raise UpgradeFailed(f"{module.__name__} has no {ref.actor_class.__qualname__} any more, and {ref} is one")
    return found


def _change(ref: Any, new_class: type[Process], timeout: float | None) -> _Change:
    """Gives a process its new class and state; it stays as it was when that raises."""
    old_class = ref.actor_class

    def change(process: Any) -> _Change:
        state = process._state_shown()
        _become(process, new_class)
        try:
            code_change = getattr(process, "code_change", None)
            if code_change is not None:
                process._state_replace(code_change(getattr(old_class, "version", None), state))
        except BaseException as error:
            _become(process, old_class)
            raise UpgradeFailed(f"code_change of {ref} raised {said(error)}") from error
        return _Change(ref, old_class, state)

    changed: _Change = request(ref, change, timeout)
    return changed


def _undo(change: _Change, timeout: float | None) -> None:
    def undo(process: Any) -> None:
        _become(process, change.old_class)
        process._state_replace(change.old_state)

    with contextlib.suppress(NoProcess):
        request(change.ref, undo, timeout)


def _become(process: Any, new_class: type[Process]) -> None:
    process.__class__ = new_class
    process._actor_ref.actor_class = new_class


def _resume(ref: Any) -> None:
    # One that did not look up in time to be held looks up to this as well, and there is nothing to wait for.
    with contextlib.suppress(NoProcess, CallTimeout):
        resume(ref, timeout=0)
