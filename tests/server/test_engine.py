"""The engine and its ports as Python sees them, over real sockets: octets and buffers."""

from __future__ import annotations

import dataclasses
import os
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from tinybeam import Request, contract
from tinybeam.config import Config
from tinybeam.http import KIND_BYTES, KIND_TEXT
from tinybeam.server.engines import open_engine

if TYPE_CHECKING:
    from tests.server.conftest import Rig

LENGTH_MASK = 0xFFFF_FFFF
BUFFER_FIRST = 64 * 1024
decode = msgspec.msgpack.Decoder(list[Request]).decode
encode = msgspec.msgpack.encode


# Round trips.


def test_a_request_comes_with_all_its_parts_and_its_answer_goes_out(rig: Rig) -> None:
    rig.client.sendall(b"PUT /a%20b?c=d HTTP/1.1\r\nHost: t\r\nX-Y: z\r\nContent-Length: 2\r\n\r\nhi")
    (request,) = rig.requests()
    assert (request.method, request.path_raw, request.query_raw, request.body) == ("PUT", "/a%20b", "c=d", b"hi")
    assert request.headers["x-y"] == "z"
    assert request.peer == rig.client.getsockname()
    rig.flush(encode([(request.handle, 201, b"X-A: b\r\n", "made")]))
    assert rig.reply() == (201, b"made")


def test_answers_given_to_a_poll_and_to_respond_both_arrive(rig: Rig) -> None:
    rig.post("/one", b"1")
    (first,) = rig.requests()
    rig.post("/two", b"2")
    (second,) = rig.requests(encode([(first.handle, KIND_TEXT, "one")]))
    assert rig.engine.respond(encode([(second.handle, KIND_TEXT, "two")])) == contract.OK
    rig.flush()
    assert [rig.reply(), rig.reply()] == [(200, b"one"), (200, b"two")]


def test_a_request_stays_valid_after_it_was_answered_and_the_buffer_used_again(rig: Rig) -> None:
    body = bytes(range(256)) * 4
    rig.post("/first", body)
    (first,) = rig.requests()
    rig.flush(encode([(first.handle, KIND_TEXT, "x")]))
    for i in range(20):
        rig.post("/later", b"\xff" * 1000 + str(i).encode())
        (later,) = rig.requests()
        rig.flush(encode([(later.handle, KIND_TEXT, "x")]))
    assert (first.path_raw, first.body, first.headers["host"]) == ("/first", body, "t")


def test_every_octet_passes_both_ways(rig: Rig) -> None:
    octets = bytes(range(256)) + b"\0\0end"
    rig.post("/", octets)
    (request,) = rig.requests()
    assert request.body == octets
    rig.flush(encode([(request.handle, KIND_BYTES, request.body)]))
    assert rig.reply() == (200, octets)


def test_what_is_changed_after_respond_is_not_what_the_client_sees(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    body = bytearray(b"old" * 100_000)
    answers = bytearray(encode([(request.handle, KIND_BYTES, body)]))
    assert rig.engine.respond(bytes(answers)) == contract.OK
    body[:] = b"new" * 100_000
    answers[:] = b"\xff" * len(answers)
    del body, answers
    rig.flush()
    # More than the sockets hold: the rest is sent from the engine's own memory when the client reads.
    polling = threading.Thread(target=rig.port.poll, args=(b"",))
    polling.start()
    assert rig.reply() == (200, b"old" * 100_000)
    rig.engine.wake()
    polling.join()


# The buffer.


@pytest.mark.native_only("the portable engine has no buffer to write into")
def test_a_body_larger_than_the_buffer_makes_it_grow_and_the_next_small_batch_shrinks_it(rig: Rig) -> None:
    small, large = b"s", os.urandom(300_000)
    for body in (small, large, small, large):
        sending = threading.Thread(target=rig.post, args=("/", body))
        sending.start()
        (request,) = rig.requests()
        sending.join()
        assert request.body == body
        assert (len(rig.port.view) > BUFFER_FIRST) is (body is large)
        rig.flush(encode([(request.handle, KIND_TEXT, "x")]))
    assert len(rig.port.view) == BUFFER_FIRST


def test_answers_are_spent_once_although_the_poll_is_repeated_with_a_larger_buffer(rig: Rig) -> None:
    rig.post("/one", b"1")
    (first,) = rig.requests()
    other = rig.connect()
    with other:
        body = b"l" * 100_000
        other.sendall(b"POST /two HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n" + body)
        (second,) = rig.requests(encode([(first.handle, KIND_TEXT, "one")]))
        assert second.body == body
        assert rig.reply() == (200, b"one")
        assert rig.engine.stats()["answers_refused"] == 0


def test_the_batch_of_one_runner_is_not_touched_by_the_polls_of_another(rig: Rig) -> None:
    rig.post("/first", b"a" * 100)
    status = rig.port.poll(b"")
    rig.port.phase[0] = 1  # as if it was blocked in a handler: its scheduler goes to the other one
    other = rig.engine.open_port()
    assert other.poll(b"") >> 48 & contract.POLL_RESUME
    another = rig.connect()
    with another:
        another.sendall(b"GET /second HTTP/1.1\r\nHost: t\r\n\r\n")
        while not (second := other.poll(b"") & LENGTH_MASK):
            pass
        assert decode(other.view[:second])[0].path_raw == "/second"
        assert decode(rig.port.view[: status & LENGTH_MASK])[0].path_raw == "/first"


# Settings.


@pytest.mark.parametrize("knob", sorted({*contract.KNOBS} - {"body_offer_bytes"}))
def test_the_engine_takes_both_ends_of_a_knob_s_range(knob: str, engine: str) -> None:
    [field] = [field for field in dataclasses.fields(Config) if field.name == knob]
    for end in field.metadata["range"]:
        opened = open_engine(Config(engine=engine, **{knob: end}))
        assert opened.stats()["connections_open"] == 0
        opened.close()
