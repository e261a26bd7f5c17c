"""Server-sent events: their form on the wire.

Owns:  Event, and the octets of one event and of a heartbeat.
Knows: the event stream format (WHATWG HTML §9.2.6), and that JSON has no line breaks.
Never: an event that could be read as two, or as none.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

EVENT_STREAM = "text/event-stream"
# A comment: it shows proxies and us that somebody is there, and browsers pass over it.
HEARTBEAT = b":\n\n"

_LINES = re.compile("\r\n|\r|\n")
_encode = msgspec.json.Encoder().encode


class Event:
    """One event: `data` as text, or anything else as JSON; its type, id, and how long to wait before a reconnect.

    Raises ValueError for an id or type with a line break or a NUL, which no event can have.

    >>> event_octets(Event("two\\nlines", event="news", id="7"))
    b'event: news\\nid: 7\\ndata: two\\ndata: lines\\n\\n'
    """

    __slots__ = ("data", "event", "id", "retry_ms")

    def __init__(
        self, data: Any = None, *, event: str | None = None, id: str | None = None, retry_ms: int | None = None
    ) -> None:
        for name, value in (("event", event), ("id", id)):
            if value is not None and (_LINES.search(value) or "\0" in value):
                raise ValueError(f"{name} is {value!r}; it must not have line breaks or NUL")
        if retry_ms is not None and (type(retry_ms) is not int or retry_ms < 0):
            raise ValueError(f"retry_ms is {retry_ms!r}; it must be a whole number, 0 or more")
        self.data = data
        self.event = event
        self.id = id
        self.retry_ms = retry_ms


def event_octets(value: Any) -> bytes:
    """The octets of an Event, or of one that has nothing but this data.

    >>> event_octets({"n": 1})
    b'data: {"n":1}\\n\\n'
    """
    if not isinstance(value, Event):
        value = Event(value)
    lines = []
    if value.event is not None:
        lines.append(f"event: {value.event}")
    if value.id is not None:
        lines.append(f"id: {value.id}")
    if value.retry_ms is not None:
        lines.append(f"retry: {value.retry_ms}")
    if value.data is not None or not lines:
        lines.extend(f"data: {line}" for line in _LINES.split(_text(value.data)))
    return ("\n".join(lines) + "\n\n").encode("utf-8")


def _text(data: Any) -> str:
    if data is None:
        return ""
    if isinstance(data, str):
        return data
    return _encode(data).decode("utf-8")
