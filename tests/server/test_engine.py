"""The engine and its ports as Python sees them, over real sockets: buffers, octets, refusals, closing and forking."""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tinybeam import native
from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.http import KIND_BYTES, KIND_TEXT, Request
from tinybeam.server.engine import Engine, Port

PATIENCE_S = 30
LENGTH_MASK = 0xFFFF_FFFF
BUFFER_FIRST = 64 * 1024
decode = msgspec.msgpack.Decoder(list[Request]).decode
encode = msgspec.msgpack.encode


class Rig:
    """An engine that listens, one port, and one client."""

    def __init__(self, **settings: Any) -> None:
        self.engine = Engine(Config(**settings))
        self.port_number = self.engine.listen("127.0.0.1", 0, 16)
        self.port = self.engine.open_port()
        self.client = self.connect()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port_number), PATIENCE_S)

    def post(self, path: str, body: bytes = b"") -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n"
        self.client.sendall(head.encode() + body)

    def requests(self, answers: bytes = b"") -> list[Request]:
        """Spends the answers and waits for a batch."""
        while True:
            status = self.port.poll(answers)
            answers = b""
            if status & LENGTH_MASK:
                return decode(self.port.view[: status & LENGTH_MASK])

    def flush(self, answers: bytes = b"") -> None:
        """Spends the answers, and comes back without waiting for requests."""
        self.engine.wake()
        assert self.port.poll(answers) >> 48 & native.POLL_WAKE

    def reply(self) -> tuple[int, bytes]:
        """The status and the body of the next response."""
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += self.client.recv(1)
        length = int(octets.lower().partition(b"content-length: ")[2].split()[0])
        body = b""
        while len(body) < length:
            body += self.client.recv(length - len(body))
        return int(octets.split()[1]), body

    def close(self) -> None:
        self.client.close()
        self.engine.close()


@pytest.fixture
def rigs() -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**settings: Any) -> Rig:
        made.append(Rig(**settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(rigs: Callable[..., Rig]) -> Rig:
    return rigs()


def code_of(call: Callable[[], object]) -> int:
    """The code of the NativeError that this raises."""
    with pytest.raises(NativeError) as caught:
        call()
    return caught.value.code


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
    assert rig.engine.respond(encode([(second.handle, KIND_TEXT, "two")])) == native.OK
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
    assert rig.engine.respond(bytes(answers)) == native.OK
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
    assert other.poll(b"") >> 48 & native.POLL_RESUME
    another = rig.connect()
    with another:
        another.sendall(b"GET /second HTTP/1.1\r\nHost: t\r\n\r\n")
        while not (second := other.poll(b"") & LENGTH_MASK):
            pass
        assert decode(other.view[:second])[0].path_raw == "/second"
        assert decode(rig.port.view[: status & LENGTH_MASK])[0].path_raw == "/first"


# Refusals.


def test_a_handle_is_spent_once_and_later_answers_are_told_why_not(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    answers = encode([(request.handle, KIND_TEXT, "yay")])
    assert rig.engine.respond(answers) == native.OK
    assert rig.engine.respond(answers) == native.EALREADY
    rig.flush(answers)
    assert rig.engine.respond(answers) == native.EALREADY
    assert rig.engine.respond(encode([(request.handle + (1 << 20), KIND_TEXT, "yay")])) == native.EBADHANDLE
    assert rig.reply() == (200, b"yay")
    assert rig.engine.stats()["answers_refused"] == 4


def test_an_answer_after_a_reset_is_late(rig: Rig, until: Callable[[Callable[[], object]], None]) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    rig.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rig.client.close()

    def has_gone() -> bool:
        rig.flush()
        return rig.engine.stats()["connections_open"] == 0

    until(has_gone)
    answers = encode([(request.handle, KIND_TEXT, "late")])
    assert rig.engine.respond(answers) == native.EDISCONNECTED
    assert rig.engine.respond(answers) == native.EALREADY
    rig.flush()
    assert {name: rig.engine.stats()[name] for name in ("answers_late", "handles_open")} == {
        "answers_late": 1,
        "handles_open": 0,
    }


def test_a_handle_of_another_engine_is_refused(rigs: Callable[..., Rig]) -> None:
    first, second = rigs(), rigs()
    first.post("/", b"x")
    (request,) = first.requests()
    answers = encode([(request.handle, KIND_TEXT, "yay")])
    assert second.engine.respond(answers) == native.EBADHANDLE
    assert first.engine.respond(answers) == native.OK


def test_forged_handles_are_errors_only(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    forged = [0, 1, (1 << 64) - 1, 1 << 63, 1 << 32, id(rig), request.handle ^ 1, request.handle ^ (1 << 52)]
    for handle in forged:
        assert rig.engine.respond(encode([(handle, KIND_TEXT, "forged")])) in (native.EBADHANDLE, native.EALREADY)
    for wrong in (-1, 1 << 64, "1", None, 1.5):
        try:
            term = encode([(wrong, KIND_TEXT, "forged")])
        except (OverflowError, ValueError):
            continue
        assert rig.engine.respond(term) == native.ETERM
    rig.flush(encode([(request.handle, KIND_TEXT, "real")]))
    assert rig.reply() == (200, b"real")


@pytest.mark.parametrize(
    "answers",
    [
        b"\xc1",
        b"\x91",
        b"\x91\x93\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\x91\x93\x01\x01\xc6\xff\xff\xff\xff",
        b"\x81\x01\x02",
    ],
)
def test_answers_that_are_no_terms_are_refused_and_the_engine_goes_on(rig: Rig, answers: bytes) -> None:
    assert rig.engine.respond(answers) == native.ETERM
    assert code_of(lambda: rig.port.poll(answers)) == native.ETERM
    rig.post("/", b"x")
    (request,) = rig.requests()
    rig.flush(encode([(request.handle, KIND_TEXT, "yay")]))
    assert rig.reply() == (200, b"yay")


@pytest.mark.parametrize("length", [0, -1, 1 << 63, (1 << 64) - 1, (1 << 63) + 5])
def test_a_length_that_lies_is_an_error(rig: Rig, length: int) -> None:
    library, pointer = native.load(), rig.engine.pointer
    assert library.tb_engine_respond(pointer, b"\x91", length) == native.EINVAL
    if length:
        poll = library.tb_engine_poll(pointer, rig.port.number, b"\x91", length, rig.port._address, 65536)
        assert poll == native.EINVAL
    for capacity in (length, 15, 1 << 31):
        assert library.tb_engine_poll(pointer, rig.port.number, None, 0, 4096, capacity) == native.EINVAL
    unlistened = Engine(Config())
    add = library.tb_engine_add_constant
    assert add(unlistened.pointer, b"/", length, 200, None, 0, None, 0) == native.EINVAL
    if length:
        assert add(unlistened.pointer, b"/", 1, 200, b"A: b\r\n", length, None, 0) == native.EINVAL
        assert add(unlistened.pointer, b"/", 1, 200, None, 0, b"x", length) == native.EINVAL
    unlistened.close()


def test_a_port_that_is_taken_is_an_os_error(rig: Rig) -> None:
    other = Engine(Config())
    with pytest.raises(OSError, match="Address already in use"):
        other.listen("127.0.0.1", rig.port_number, 16)
    other.close()


def test_a_constant_after_listening_is_refused(rig: Rig) -> None:
    assert code_of(lambda: rig.engine.add_constant("/late", 200, b"", b"")) == native.EINVAL


# Waking, draining, closing.


def test_a_poll_that_waits_is_ended_by_a_wake_and_by_an_octet_in_the_wakeup_fd(rig: Rig) -> None:
    for end, flag in (
        (rig.engine.wake, native.POLL_WAKE),
        (lambda: os.write(rig.engine.wakeup_fd, b"\2"), native.POLL_SIGNAL),
    ):
        polled: list[int] = []
        waiting = threading.Thread(target=lambda into=polled: into.append(rig.port.poll(b"")))
        waiting.start()
        end()
        waiting.join()
        assert polled[0] >> 48 & flag


def test_a_drain_ends_with_drained(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    rig.engine.drain()
    rig.flush()
    status = rig.port.poll(encode([(request.handle, KIND_TEXT, "last")]))
    assert status >> 48 & native.POLL_DRAINED
    assert rig.reply() == (200, b"last")
    assert rig.client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        rig.connect()


def calls_of(rig: Rig) -> list[Callable[[], object]]:
    """Every call that raises on an engine that is closed or a forked copy."""
    return [
        lambda: rig.engine.listen("127.0.0.1", 0, 1),
        lambda: rig.engine.listen_unix("unused.sock", 1),
        lambda: rig.engine.add_constant("/", 200, b"", b""),
        rig.engine.drain,
        lambda: rig.engine.wakeup_fd,
        rig.engine.stats,
        rig.engine.open_port,
        lambda: rig.port.poll(b""),
    ]


def test_every_call_on_a_closed_engine_says_so(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    assert rig.engine.close() is True
    assert rig.engine.close() is False
    assert [code_of(call) for call in calls_of(rig)] == [native.ESHUTDOWN] * 8
    assert rig.engine.respond(encode([(request.handle, KIND_TEXT, "late")])) == native.ESHUTDOWN
    rig.engine.wake()
    rig.port.forfeit()
    rig.port.close()
    assert rig.client.recv(1) == b""


def test_a_close_wakes_the_one_who_polls_and_those_on_stand_by(rig: Rig) -> None:
    codes: list[int] = []

    def poll(port: Port) -> None:
        codes.append(code_of(lambda: port.poll(b"")))

    waiting = [threading.Thread(target=poll, args=(rig.engine.open_port(),)) for _ in range(3)]
    waiting.append(threading.Thread(target=poll, args=(rig.port,)))
    for thread in waiting:
        thread.start()
    assert rig.engine.close() is True
    for thread in waiting:
        thread.join()
    assert codes == [native.ESHUTDOWN] * 4


def test_an_engine_that_nobody_holds_any_more_is_closed_and_freed() -> None:
    rig = Rig()
    client = rig.client
    rig.post("/", b"x")
    rig.requests()
    del rig
    with client:
        assert client.recv(1) == b""


def in_child(work: Callable[[], object]) -> None:
    """Runs this in a forked child; what it raises there fails the test here."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            os.write(2, f"in the child: {error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_every_call_on_a_forked_copy_says_so_and_the_parent_goes_on(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    answers = encode([(request.handle, KIND_TEXT, "yay")])

    def work() -> None:
        assert [code_of(call) for call in calls_of(rig)] == [native.EFORKED] * 8
        assert rig.engine.respond(answers) == native.EFORKED
        assert rig.engine.close() is False
        rig.engine.wake()

    in_child(work)
    rig.flush(answers)
    assert rig.reply() == (200, b"yay")


def test_a_child_can_open_an_engine_of_its_own(rig: Rig) -> None:
    def work() -> None:
        own = Rig()
        own.post("/", b"x")
        (request,) = own.requests()
        own.flush(encode([(request.handle, KIND_TEXT, "child")]))
        assert own.reply() == (200, b"child")
        own.close()

    in_child(work)


def test_a_grandchild_keeps_the_descriptors_that_its_parent_has_opened_since(rig: Rig) -> None:
    rig.post("/", b"x")
    rig.requests()

    def work() -> None:
        # They get the numbers that letting go of the engine has made free.
        own = [os.open(os.devnull, os.O_RDONLY) for _ in range(8)]
        in_child(lambda: [os.fstat(fd) for fd in own])

    in_child(work)


@pytest.mark.parametrize("knob", native.KNOBS)
def test_the_engine_takes_both_ends_of_a_knob_s_range(knob: str) -> None:
    [field] = [field for field in dataclasses.fields(Config) if field.name == knob]
    for end in field.metadata["range"]:
        engine = Engine(Config(**{knob: end}))
        assert engine.stats()["connections_open"] == 0
        engine.close()
