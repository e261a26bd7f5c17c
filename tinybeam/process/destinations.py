"""Whom a message is for: a ref, a name, or something that knows how to find one.

Owns:  the way from a destination to a ref, and the calls that take destinations.
Knows: names, and `via` names, which a registry of the user's resolves.
Never: keeps a ref: the same name may be another process next time.
"""

from __future__ import annotations

from typing import Any

import pykka

from tinybeam.process.errors import NoProcess
from tinybeam.process.names import whereis
from tinybeam.process.reasons import said
from tinybeam.process.ref import CALL_TIMEOUT_S, ProcessRef


def ref_of(to: Any) -> Any:
    """The ref that a destination stands for, None when nobody has the name. Raises TypeError for a pykka actor's."""
    if isinstance(to, ProcessRef):
        return to
    if isinstance(to, pykka.ActorRef):
        raise TypeError(f"{to} is no process, and can only be asked and told")
    return whereis(to)


def call(to: Any, message: Any, timeout: float | None = CALL_TIMEOUT_S) -> Any:
    """`ProcessRef.call`, by ref or name. Raises NoProcess when nobody has the name."""
    ref = ref_of(to)
    if ref is None:
        raise NoProcess(f"nobody is named {said(to)}")
    return ref.call(message, timeout)


def cast(to: Any, message: Any) -> None:
    """`ProcessRef.cast`, by ref or name; silent when nobody has the name."""
    ref = ref_of(to)
    if ref is not None:
        ref.cast(message)


def send(to: Any, message: Any) -> None:
    """`ProcessRef.send`, by ref or name. Raises NoProcess when nobody has the name, as in OTP."""
    ref = ref_of(to)
    if ref is None:
        raise NoProcess(f"nobody is named {said(to)}")
    ref.send(message)
