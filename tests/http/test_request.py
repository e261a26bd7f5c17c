"""A request is decoded from the engine's term, and everything else is a view of it."""

import gc
import pickle
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tinybeam.errors import HTTPError
from tinybeam.http import Headers, QueryParams, Request

HEADER = Path(__file__).parents[2] / "native" / "include" / "tinybeam.h"


def request(path: str = "/", **fields: Any) -> Request:
    return Request(handle=7, method=fields.pop("method", "GET"), path_raw=path, **fields)


def body(octets: bytes, content_type: str | None = None) -> Request:
    fields = b"\n" if content_type is None else b"\ncontent-type:" + content_type.encode("latin-1") + b"\n"
    return request(method="POST", body=octets, fields_raw=fields)


class User(msgspec.Struct):
    id: int
    name: str = ""


@dataclass
class Point:
    x: float
    y: float


def test_the_order_of_the_fields_is_that_of_the_native_header() -> None:
    text = HEADER.read_text()
    term = re.search(r"request = \[ (.*?) \]", text)
    longest = re.search(r"\| \[ \.\.\. (body:bin, trailers:bin, offered:bool) \]", text)
    assert term is not None
    assert longest is not None
    names = [field.split(":")[0] for field in f"{term[1]}{longest[1].removeprefix('body:bin')}".split(", ")]
    *fields, own = Request.__struct_fields__
    assert own == "before_sends"  # which is no part of the term
    ours = [name.removesuffix("_raw") for name in fields]
    assert ours == names


def test_a_batch_of_terms_decodes_into_requests() -> None:
    terms = [
        [2**63, "GET", "/a%20b", None, b"\nhost:a\n", b"", "", b""],
        [8, "POST", "/", "x=1", b"\n", b"\x1f\x90\x7f\x00\x00\x01", "http://a", b"\xff\x00"],
    ]
    first, second = msgspec.msgpack.Decoder(list[Request]).decode(memoryview(msgspec.msgpack.encode(terms)))
    assert (first.handle, first.method, first.path, first.query_raw, first.headers["host"]) == (
        2**63,
        "GET",
        "/a b",
        None,
        "a",
    )
    assert (second.target, second.peer, second.body) == ("http://a/?x=1", ("127.0.0.1", 8080), b"\xff\x00")


def test_a_request_outlives_the_buffer_it_was_decoded_from() -> None:
    buffer = bytearray(msgspec.msgpack.encode([7, "GET", "/abc", "q", b"\nhost:a\n", b"", "", b"body"]))
    decoded = msgspec.msgpack.decode(memoryview(buffer), type=Request)
    buffer[:] = b"\xff" * len(buffer)
    assert (decoded.path, decoded.query_string, decoded.headers["host"], decoded.body) == ("/abc", "q", "a", b"body")


def test_a_decoded_request_costs_the_garbage_collector_nothing() -> None:
    decoded = msgspec.msgpack.decode(msgspec.msgpack.encode([7, "GET", "/", None, b"\n", b"", "", b""]), type=Request)
    assert not gc.is_tracked(decoded)


def test_a_path_without_escapes_is_the_raw_one_itself() -> None:
    plain = request("/users/42")
    assert plain.path is plain.path_raw


@pytest.mark.parametrize(
    ("raw", "path"),
    [("/caf%C3%A9", "/café"), ("/a%2Fb", "/a/b"), ("/%FF", "/\ufffd"), ("/a+b", "/a+b"), ("/%zz", "/%zz"), ("*", "*")],
)
def test_a_path_is_decoded_as_utf_8(raw: str, path: str) -> None:
    assert request(raw).path == path


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({}, "/a%20b"),
        ({"query_raw": "x=%20"}, "/a%20b?x=%20"),
        ({"query_raw": ""}, "/a%20b?"),
        ({"prefix": "http://a:80", "query_raw": "x"}, "http://a:80/a%20b?x"),
    ],
)
def test_the_target_is_as_sent(fields: dict[str, str], target: str) -> None:
    assert request("/a%20b", **fields).target == target


def test_no_query_is_an_empty_one() -> None:
    assert request().query_string == ""
    assert request().query == {}


def test_query_and_headers_are_worked_out_once() -> None:
    lazy = request(query_raw="a=1", fields_raw=b"\nhost:a\n")
    assert isinstance(lazy.query, QueryParams)
    assert isinstance(lazy.headers, Headers)
    assert lazy.query is lazy.query
    assert lazy.headers is lazy.headers


def test_the_peer_is_an_address_and_a_port_or_none_on_a_unix_socket() -> None:
    port = (54321).to_bytes(2, "big")
    assert request(peer_raw=port + socket.inet_aton("192.0.2.1")).peer == ("192.0.2.1", 54321)
    address = socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    assert request(peer_raw=port + address).peer == ("2001:db8::1", 54321)
    assert request(peer_raw=b"").peer is None


def test_the_id_is_the_handle_in_16_hexadecimal_digits() -> None:
    assert Request(0xDEADBEEF, "GET", "/").id == "00000000deadbeef"


def test_a_request_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        request().handle = 8  # type: ignore[misc]


def test_two_requests_are_never_equal_and_can_be_keys() -> None:
    first, second = request(), request()
    assert first != second
    assert len({first, second}) == 2


def test_printing_a_request_shows_no_query_headers_or_body() -> None:
    text = repr(request("/login", query_raw="key=hunter2", fields_raw=b"\ncookie:hunter2\n", body=b"hunter2"))
    assert text == "<Request 0000000000000007 GET /login>"


def test_a_request_can_be_pickled() -> None:
    twin = pickle.loads(pickle.dumps(request("/a", body=b"b")))
    assert (twin.path, twin.body) == ("/a", b"b")


def test_text_is_utf_8_unless_the_content_type_says_otherwise() -> None:
    assert body("é".encode()).text() == "é"
    assert body(b"\xe9", "text/plain; charset=latin-1").text() == "é"


def test_text_that_cannot_be_decoded_is_the_clients_fault() -> None:
    with pytest.raises(HTTPError, match="400 the body is not utf-8 text"):
        body(b"\xff").text()
    with pytest.raises(HTTPError, match="415 the charset 'klingon' is not supported"):
        body(b"x", "text/plain; charset=klingon").text()


def test_json_is_plain_values_without_a_type_and_a_typed_value_with_one() -> None:
    assert body(b'{"id": 7, "tags": [null, 1.5]}').json() == {"id": 7, "tags": [None, 1.5]}
    assert body(b'{"id": 7}').json(User) == User(7)
    assert body(b'{"x": 1, "y": 2}').json(type=Point) == Point(1.0, 2.0)
    assert body(b"[1, 2]").json(list[int]) == [1, 2]


@pytest.mark.parametrize(
    "octets",
    [b"", b"{", b"nope", b"{'a': 1}", b"[1,]", b'"\xff"', b"\xff", b"1 2", b"NaN", b"\xef\xbb\xbf{}", b'"\\ud800"'],
)
def test_a_body_that_is_not_json_is_a_400_that_says_so(octets: bytes) -> None:
    with pytest.raises(HTTPError, match="400 the body is not JSON: ") as caught:
        body(octets).json()
    assert caught.value.status == 400


@pytest.mark.parametrize("octets", [b"[]", b"{}", b'{"id": "seven"}', b'{"id": null}', b"1" * 400, b'{"id": 1e999}'])
def test_json_of_another_type_is_a_400_that_says_where(octets: bytes) -> None:
    with pytest.raises(HTTPError, match="400 the JSON body is not as expected: ") as caught:
        body(octets).json(User)
    assert caught.value.status == 400


def test_the_message_about_a_wrong_type_names_the_place() -> None:
    with pytest.raises(HTTPError, match=re.escape("Expected `int`, got `str` - at `$.id`")):
        body(b'{"id": "seven"}').json(User)


@pytest.mark.parametrize("octets", [b"[" * 100_000, b'{"a":' * 100_000])
def test_json_that_is_nested_too_deeply_is_a_400_and_no_crash(octets: bytes) -> None:
    with pytest.raises(HTTPError, match="400 the JSON body is nested too deeply"):
        body(octets).json()


def test_a_type_that_msgspec_does_not_know_is_our_fault_and_no_http_error() -> None:
    with pytest.raises(TypeError):
        body(b"{}").json(object())  # type: ignore[arg-type]
