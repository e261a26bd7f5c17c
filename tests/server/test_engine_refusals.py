"""What an engine refuses: answers that are spent, late, forged or no terms, lengths that lie, and taken ports."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import msgspec
import pytest

from tinybeam import contract, native
from tinybeam.config import Config
from tinybeam.http import KIND_TEXT
from tinybeam.server.engine import Engine
from tinybeam.server.engines import open_engine

if TYPE_CHECKING:
    from tests.server.conftest import CodeOf, Rig, Rigs, Until

encode = msgspec.msgpack.encode


def test_a_handle_is_spent_once_and_later_answers_are_told_why_not(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    answers = encode([(request.handle, KIND_TEXT, "yay")])
    assert rig.engine.respond(answers) == contract.OK
    assert rig.engine.respond(answers) == contract.EALREADY
    rig.flush(answers)
    assert rig.engine.respond(answers) == contract.EALREADY
    assert rig.engine.respond(encode([(request.handle + (1 << 20), KIND_TEXT, "yay")])) == contract.EBADHANDLE
    assert rig.reply() == (200, b"yay")
    assert rig.engine.stats()["answers_refused"] == 4


def test_an_answer_after_a_reset_is_late(rig: Rig, until: Until) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    rig.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rig.client.close()

    def has_gone() -> bool:
        rig.flush()
        return rig.engine.stats()["connections_open"] == 0

    until(has_gone)
    answers = encode([(request.handle, KIND_TEXT, "late")])
    assert rig.engine.respond(answers) == contract.EDISCONNECTED
    assert rig.engine.respond(answers) == contract.EALREADY
    rig.flush()
    assert {name: rig.engine.stats()[name] for name in ("answers_late", "handles_open")} == {
        "answers_late": 1,
        "handles_open": 0,
    }


def test_a_handle_of_another_engine_is_refused(rigs: Rigs) -> None:
    first, second = rigs(), rigs()
    first.post("/", b"x")
    (request,) = first.requests()
    answers = encode([(request.handle, KIND_TEXT, "yay")])
    assert second.engine.respond(answers) == contract.EBADHANDLE
    assert first.engine.respond(answers) == contract.OK


def test_forged_handles_are_errors_only(rig: Rig) -> None:
    rig.post("/", b"x")
    (request,) = rig.requests()
    forged = [0, 1, (1 << 64) - 1, 1 << 63, 1 << 32, id(rig), request.handle ^ 1, request.handle ^ (1 << 52)]
    for handle in forged:
        assert rig.engine.respond(encode([(handle, KIND_TEXT, "forged")])) in (contract.EBADHANDLE, contract.EALREADY)
    for wrong in (-1, 1 << 64, "1", None, 1.5):
        try:
            term = encode([(wrong, KIND_TEXT, "forged")])
        except (OverflowError, ValueError):
            continue
        assert rig.engine.respond(term) == contract.ETERM
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
def test_answers_that_are_no_terms_are_refused_and_the_engine_goes_on(
    rig: Rig, answers: bytes, code_of: CodeOf
) -> None:
    assert rig.engine.respond(answers) == contract.ETERM
    assert code_of(lambda: rig.port.poll(answers)) == contract.ETERM
    rig.post("/", b"x")
    (request,) = rig.requests()
    rig.flush(encode([(request.handle, KIND_TEXT, "yay")]))
    assert rig.reply() == (200, b"yay")


@pytest.mark.native_only("no length crosses to the portable engine")
@pytest.mark.parametrize("length", [0, -1, 1 << 63, (1 << 64) - 1, (1 << 63) + 5])
def test_a_length_that_lies_is_an_error(rig: Rig, length: int) -> None:
    library, pointer = native.load(), rig.engine.pointer
    _keep, address = native.address_of(bytearray(65536))
    assert library.tb_engine_respond(pointer, b"\x91", length) == contract.EINVAL
    if length:
        poll = library.tb_engine_poll(pointer, rig.port.number, b"\x91", length, address, 65536)
        assert poll == contract.EINVAL
    for capacity in (length, 15, 1 << 31):
        assert library.tb_engine_poll(pointer, rig.port.number, None, 0, 4096, capacity) == contract.EINVAL
    unlistened = Engine(Config())
    add = library.tb_engine_add_constant
    assert add(unlistened.pointer, b"/", length, 200, None, 0, None, 0) == contract.EINVAL
    if length:
        assert add(unlistened.pointer, b"/", 1, 200, b"A: b\r\n", length, None, 0) == contract.EINVAL
        assert add(unlistened.pointer, b"/", 1, 200, None, 0, b"x", length) == contract.EINVAL
    unlistened.close()


def test_a_port_that_is_taken_is_an_os_error(rig: Rig, engine: str) -> None:
    other = open_engine(Config(engine=engine))
    with pytest.raises(OSError, match="Address already in use"):
        other.listen("127.0.0.1", rig.port_number, 16)
    other.close()


def test_a_constant_after_listening_is_refused(rig: Rig, code_of: CodeOf) -> None:
    assert code_of(lambda: rig.engine.add_constant("/late", 200, b"", b"")) == contract.EINVAL
