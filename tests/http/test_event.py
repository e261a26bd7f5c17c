"""Server-sent events: what goes on the wire is what a browser reads back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.http.event import HEARTBEAT, Event, event_octets


def read(octets: bytes) -> list[dict[str, str]]:
    """Events as a browser reads them (WHATWG HTML §9.2.6)."""
    events: list[dict[str, str]] = []
    fields: dict[str, Any] = {}
    for line in octets.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if not line:
            if "data" in fields:
                events.append({**fields, "data": "\n".join(fields["data"])})
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                fields.setdefault("data", []).append(value)
            else:
                fields[name] = value
    return events


@pytest.mark.parametrize("data", ["", "one", "two\nlines", "\n", "a\r\nb\rc\n", " spaces ", ": no comment", "ö"])
def test_text_comes_back_line_by_line(data: str) -> None:
    [event] = read(event_octets(data))
    assert event["data"] == data.replace("\r\n", "\n").replace("\r", "\n")


class Point(msgspec.Struct):
    x: int


@pytest.mark.parametrize("data", [{"n": 1}, [1, "\n"], 7, True, Point(3), {"text": "two\nlines"}])
def test_anything_else_is_json_on_one_line(data: Any) -> None:
    [event] = read(event_octets(data))
    assert json.loads(event["data"]) == json.loads(msgspec.json.encode(data))


def test_all_fields_are_there() -> None:
    octets = event_octets(Event("hello", event="news", id="7", retry_ms=1500))
    assert octets == b"event: news\nid: 7\nretry: 1500\ndata: hello\n\n"


def test_an_event_without_data_only_sets_what_it_says() -> None:
    assert event_octets(Event(retry_ms=10)) == b"retry: 10\n\n"
    assert event_octets(Event(None)) == b"data: \n\n"


@pytest.mark.parametrize("field", ["event", "id"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\n", "a\0b"])
def test_a_field_that_would_end_its_own_line_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is .* line breaks"):
        Event("x", **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-1, 1.5, "10", True])
def test_a_retry_is_a_whole_number_of_milliseconds(value: Any) -> None:
    with pytest.raises(ValueError, match="retry_ms"):
        Event("x", retry_ms=value)


def test_a_heartbeat_is_no_event() -> None:
    assert read(HEARTBEAT + event_octets("x") + HEARTBEAT) == [{"data": "x"}]


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=5))
def test_no_data_makes_two_events_of_one(texts: list[str]) -> None:
    events = read(b"".join(event_octets(text) for text in texts))
    assert [event["data"] for event in events] == [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
