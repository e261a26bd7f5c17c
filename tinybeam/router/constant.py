"""Constants: answers that are known when the route is declared (`do=`).

Owns:  their conversion, once, and which of them the engine may answer by itself.
Knows: what `tb_engine_add_constant` takes; the octets that a path may have as they are (RFC 3986 section 3.3).
Never: a later change of the value to reach the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tinybeam.errors import ConfigError
from tinybeam.http import Response, as_response

_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/]+")


class Constant(NamedTuple):
    """A constant in the engine's terms: GET and HEAD of exactly this path get this answer."""

    path: str
    status: int
    fields: bytes
    body: bytes


def constant_handler(value: object, what: str) -> Callable[..., object]:
    """A handler that answers with the value as it is now. Raises ConfigError for one that no handler may return."""
    if callable(value):
        raise ConfigError(f"{what}: do= takes the answer itself; for a function write it as a decorator, without do=")
    try:
        response = as_response(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what}: do= cannot be answered: {error}") from error
    if response.source is not None or response.from_file is not None:
        raise ConfigError(f"{what}: do= takes an answer that is whole; write a handler, or for files router.static")
    result = (response.status, response.headers, response.body or None)

    def constant(request: object, **parameters: object) -> object:
        return result

    return constant


def engine_constant(path: str, handler: Callable[..., object]) -> Constant | None:
    """The constant in the engine's terms, or None where the path cannot be sent as it is written."""
    if not _PLAIN_PATH.fullmatch(path):
        return None
    response: Response = as_response(handler(None))
    return Constant(path, response.status, response.field_octets(), response.body)
