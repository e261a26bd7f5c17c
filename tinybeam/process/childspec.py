"""A child spec: how a supervisor starts a child, when it starts it again, and how it stops it.

Owns:  ChildSpec, its defaults, and what may be written instead of one.
Knows: OTP's rules for the fields (supervisor:check_childspecs/1), all of which hold for every ChildSpec there is.
Never: starts anything.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, Literal, get_args

from tinybeam.process.child_errors import BadSpec

Restart = Literal["permanent", "transient", "temporary"]
ChildType = Literal["worker", "supervisor"]
Shutdown = int | Literal["infinity", "brutal_kill"]

WORKER_SHUTDOWN_MS: Final = 5000

# What a class may say about itself, as `use GenServer, restart: :transient` does.
_CLASS_FIELDS: Final = ("restart", "shutdown", "significant", "backoff_ms")
# What `child_spec` of a class takes for itself.
_OWN_FIELDS: Final = frozenset(("id", *_CLASS_FIELDS))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """Pure data (supervisor:child_spec()). Raises BadSpec, which is a ConfigError, when a field cannot work.

    >>> ChildSpec(id="counter", start=print, shutdown=-10)
    Traceback (most recent call last):
    ...
    tinybeam.process.child_errors.BadSpec: child counter: shutdown must be "infinity", "brutal_kill" or a number of \
milliseconds above 0, not -10
    """

    id: Hashable
    """Its name among its siblings."""
    start: Callable[..., Any]
    """Called by the supervisor with `args` and `kwargs`: starts a process linked to it, and returns the ref."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    restart: Restart = "permanent"
    """When it is started again: always, after a failure only ("transient"), or never ("temporary")."""
    shutdown: Shutdown | None = None
    """How long it may take to end, in ms, before it is killed. None: 5000, or "infinity" for a supervisor."""
    type: ChildType = "worker"
    significant: bool = False
    """Whether its end may end the supervisor; see `auto_shutdown`."""
    backoff_ms: tuple[int, int] | None = None
    """The first and the longest pause before it is started again. They double while it keeps failing, and begin anew
    once it has run for longer than the longest; such restarts do not count towards `max_restarts`. None: no pause."""

    def __post_init__(self) -> None:
        try:
            hash(self.id)
        except TypeError:
            raise BadSpec(f"child {self.id!r}: id must be hashable") from None
        if not callable(self.start):
            self._refuse("start", "be callable")
        if type(self.args) is not tuple:
            self._refuse("args", "be a tuple")
        if not isinstance(self.kwargs, Mapping):
            self._refuse("kwargs", "be a mapping")
        if self.restart not in get_args(Restart):
            self._refuse("restart", 'be "permanent", "transient" or "temporary"')
        if self.type not in get_args(ChildType):
            self._refuse("type", 'be "worker" or "supervisor"')
        if self.shutdown is None:
            object.__setattr__(self, "shutdown", WORKER_SHUTDOWN_MS if self.type == "worker" else "infinity")
        elif self.shutdown not in ("infinity", "brutal_kill") and (type(self.shutdown) is not int or self.shutdown < 1):
            self._refuse("shutdown", 'be "infinity", "brutal_kill" or a number of milliseconds above 0')
        if type(self.significant) is not bool:
            self._refuse("significant", "be True or False")
        if self.significant and self.restart == "permanent":
            self._refuse("significant", 'not be set for a child whose restart is "permanent"')
        match self.backoff_ms:
            case None:
                pass
            case (int(first), int(longest)) if 0 < first <= longest and type(first) is type(longest) is int:
                pass
            case _:
                self._refuse("backoff_ms", "be the first and the longest pause in milliseconds, as in (100, 10_000)")

    def _refuse(self, field: str, rule: str) -> None:
        value = getattr(self, field)
        raise BadSpec(f"child {said_id(self.id)}: {field} must {rule}, not {value!r}")

    @property
    def starter(self) -> Callable[..., Any]:
        """`start`, of the class as its module has it by now: after an upgrade a child is started with the new code."""
        owner = getattr(self.start, "__self__", None)
        if not isinstance(owner, type):
            return self.start
        found: Any = sys.modules.get(owner.__module__)
        for name in owner.__qualname__.split("."):
            found = getattr(found, name, None)
        if found is owner or not isinstance(found, type) or found.__module__ != owner.__module__:
            return self.start
        newer: Callable[..., Any] = getattr(found, self.start.__name__, self.start)
        return newer

    def __str__(self) -> str:
        return said_id(self.id)


def child_spec(child: Any, /, **fields: Any) -> ChildSpec:
    """The spec that a child of a list of children stands for (Supervisor.child_spec/2); `fields` change it.

    A child is a class with `start_link`, `(class, *arguments)`, a ChildSpec, or anything else with a `child_spec()`.
    Its id is the name that it is started with, or else the class; a class may say what its `restart`, `shutdown` and
    `significant` are.

    >>> class Counter:
    ...     restart = "transient"
    ...     @classmethod
    ...     def start_link(cls, count): ...
    >>> spec = child_spec((Counter, 40), id="forty")
    >>> spec.id, spec.args, spec.restart, spec.shutdown
    ('forty', (40,), 'transient', 5000)
    """
    spec = _spec_of(child)
    if not fields:
        return spec
    try:
        return dataclasses.replace(spec, **fields)
    except TypeError as error:
        raise BadSpec(f"child {spec}: {error}") from None


def of_class(cls: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> ChildSpec:
    """The spec of a class that has `start_link`, which is given the options that are not for the supervisor."""
    kwargs = {option: value for option, value in options.items() if option not in _OWN_FIELDS}
    fields = {
        "id": cls if kwargs.get("name") is None else kwargs["name"],
        "type": getattr(cls, "_child_type", "worker"),
    }
    for field in _CLASS_FIELDS:
        value = getattr(cls, field, None)
        # A plain method of this name has nothing to do with us.
        if value is not None and not callable(value):
            fields[field] = value
    fields.update((option, value) for option, value in options.items() if option in _OWN_FIELDS)
    return ChildSpec(start=cls.start_link, args=args, kwargs=kwargs, **fields)


def said_id(child_id: Hashable) -> str:
    """An id in words: a class is told by its name.

    >>> said_id(dict), said_id("cache"), said_id(("shard", 3))
    ('dict', 'cache', "('shard', 3)")
    """
    if isinstance(child_id, type):
        return child_id.__qualname__
    return child_id if type(child_id) is str else repr(child_id)


def _spec_of(child: Any) -> ChildSpec:
    if isinstance(child, ChildSpec):
        return child
    thing, args = child, ()
    if type(child) is tuple:
        if not child or not isinstance(child[0], type):
            raise BadSpec(f"child {child!r}: a tuple must be a class and its arguments")
        thing, args = child[0], child[1:]
    if hasattr(thing, "child_spec"):
        spec = thing.child_spec(*args)
        if not isinstance(spec, ChildSpec):
            raise BadSpec(f"child {child!r}: its child_spec() must return a ChildSpec, not {spec!r}")
        return spec
    if isinstance(thing, type) and hasattr(thing, "start_link"):
        return of_class(thing, args, {})
    raise BadSpec(f"child {child!r}: must be a class with start_link, such a class and its arguments, or a ChildSpec")
