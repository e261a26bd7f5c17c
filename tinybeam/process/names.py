"""Names of processes, for the whole OS process.

Owns:  the table of names.
Knows: that a name goes when its process ends; pykka's registry is told of named processes, and of no others; that a
       name may be a `via` name, which knows by itself how to find its process.
Never: has two processes under one name.

As erlang:register/2, but any hashable value may be a name. A `via` name, as `Registry.via` gives one, is an object with
`whereis_name()`, and with `register_name(ref)` and `unregister_name()` if it can be given to processes.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pykka

from tinybeam.errors import ConfigError
from tinybeam.process import bonds
from tinybeam.process.errors import AlreadyStarted, NoProcess
from tinybeam.process.reasons import said

_names: dict[Hashable, Any] = {}


def register(name: Hashable, ref: Any) -> None:
    """Gives a process a name. Raises AlreadyStarted when another has it, NoProcess when this one has ended."""
    if hasattr(name, "whereis_name"):
        if not hasattr(name, "register_name"):
            raise ConfigError(f"{said(name)} finds processes, and cannot be given to one")
        name.register_name(ref)
        return
    process = ref._process
    with bonds.lock:
        holder = _names.get(name)
        # One that has just ended, and is about to be forgotten, keeps nobody off.
        if holder is not None and holder._process is not None and not holder._process._dead:
            raise AlreadyStarted(f"the name {said(name)} is {holder}'s", holder)
        if process is None or process._dead:
            raise NoProcess(f"{ref} has ended, and cannot be given a name")
        _names[name] = ref
        names = bonds.bonds_of(process).names
        names.append(name)
        first = len(names) == 1
    if first:
        pykka.ActorRegistry.register(ref)
        if process._dead:  # it has ended meanwhile, before the registry knew it
            pykka.ActorRegistry.unregister(ref)


def unregister(name: Hashable) -> None:
    """Takes a name away. Raises NoProcess when nobody has it."""
    if hasattr(name, "unregister_name"):
        name.unregister_name()
        return
    with bonds.lock:
        ref = _names.pop(name, None)
        if ref is None:
            raise NoProcess(f"nobody is named {said(name)}")
        process = ref._process
        names = [name] if process is None or process._bonds is None else process._bonds.names
        names.remove(name)
    if not names:
        pykka.ActorRegistry.unregister(ref)


def forget(ref: Any, names: list[Any]) -> None:
    """Frees the names of a process that has ended."""
    if not names:
        return
    with bonds.lock:
        for name in names:
            if _names.get(name) is ref:
                del _names[name]
    pykka.ActorRegistry.unregister(ref)


def whereis(name: Hashable) -> Any:
    """The process of this name, or None."""
    ref = _names.get(name)
    if ref is None and hasattr(name, "whereis_name"):
        return name.whereis_name()
    return ref


def registered() -> list[Hashable]:
    """All names."""
    with bonds.lock:
        return list(_names)
