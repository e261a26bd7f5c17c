"""compress: which answers it compresses, and what it says of them. Without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.plugs.codings import decoded
from tinybeam import Event, HTTPError, Response, Router
from tinybeam.errors import ConfigError
from tinybeam.plugs import compress
from tinybeam.plugs.compression import CODINGS
from tinybeam.testing.local import LocalClient
from tinybeam.testing.reply import Reply

TEXT = "some text that repeats itself, " * 100
GZIP = {"Accept-Encoding": "gzip"}


def ask(result: Any, accept: str | None = "gzip", method: str = "GET", **options: Any) -> Reply:
    """The reply to a request whose handler returns, or raises, this."""
    router = Router(through=[compress(**options)])

    @router.get("/")
    def handler(request: Any) -> Any:
        if isinstance(result, BaseException):
            raise result
        return result

    client = LocalClient(router)
    return client.request(method, "/", headers={} if accept is None else {"Accept-Encoding": accept})


def is_compressed(reply: Reply) -> bool:
    return "content-encoding" in reply.headers


def test_a_body_is_compressed_for_a_client_that_takes_it() -> None:
    reply = ask(TEXT)
    assert reply.headers["content-encoding"] == "gzip"
    assert reply.headers["vary"] == "Accept-Encoding"
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert int(reply.headers["content-length"]) == len(reply.body) < len(TEXT)
    assert decoded(reply.body, "gzip") == TEXT.encode()


@pytest.mark.parametrize("accept", [None, "", "identity", "deflate", "gzip;q=0", "identity, gzip;q=0.1"])
def test_a_client_that_takes_none_is_told_that_others_might_get_one(accept: str | None) -> None:
    reply = ask(TEXT, accept, codings=["gzip"])
    assert reply.body == TEXT.encode()
    assert not is_compressed(reply)
    assert reply.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "result", [TEXT, {"text": TEXT}, [TEXT], (404, TEXT), Response.html(TEXT), HTTPError(400, TEXT)]
)
def test_whatever_is_returned_or_raised_is_compressed(result: Any) -> None:
    assert len(decoded(ask(result).body, "gzip")) >= len(TEXT)


def test_what_is_told_of_a_crash_is_too_short_but_varies() -> None:
    reply = ask(ValueError("broken"))
    assert (reply.status, is_compressed(reply), reply.headers["vary"]) == (500, False, "Accept-Encoding")


@pytest.mark.parametrize("coding", CODINGS)
def test_each_coding_that_is_here_is_used(coding: str) -> None:
    reply = ask(TEXT, coding)
    assert reply.headers["content-encoding"] == coding
    assert decoded(reply.body, coding) == TEXT.encode()


def test_what_we_like_best_decides_where_the_client_does_not() -> None:
    assert ask(TEXT, ", ".join(CODINGS)).headers["content-encoding"] == next(iter(CODINGS))
    names = list(reversed(CODINGS))
    assert ask(TEXT, ", ".join(CODINGS), codings=names).headers["content-encoding"] == names[0]


def test_the_level_is_what_was_asked_for() -> None:
    text = "".join(f"{number * number % 9973} " for number in range(5000))
    sizes = [len(ask(text, codings=["gzip"], levels={"gzip": level}).body) for level in (1, 9)]
    assert sizes[0] > sizes[1]


# Sizes.


@pytest.mark.parametrize(("length", "compressed"), [(0, False), (1023, False), (1024, True)])
def test_a_small_body_is_left_as_it_is(length: int, compressed: bool) -> None:
    reply = ask(Response.text("x" * length))
    assert is_compressed(reply) == compressed
    assert ("vary" in reply.headers) == (length > 0)


def test_the_smallest_size_can_be_set() -> None:
    assert is_compressed(ask("x" * 100, body_bytes_min=100))
    assert not is_compressed(ask("x" * 99, body_bytes_min=100))
    assert not is_compressed(ask("", body_bytes_min=0))


def test_a_body_that_would_not_become_smaller_is_left_as_it_is() -> None:
    reply = ask("x", body_bytes_min=0)
    assert (reply.body, is_compressed(reply)) == (b"x", False)


@pytest.mark.parametrize("accept", ["gzip, identity;q=0", "gzip, *;q=0"])
def test_a_client_that_refuses_plain_bodies_gets_small_ones_compressed_too(accept: str) -> None:
    assert decoded(ask("x", accept).body, "gzip") == b"x"


# What is left alone.


@pytest.mark.parametrize(
    "response",
    [
        Response(TEXT, headers={"Content-Encoding": "br"}),
        Response(TEXT, headers={"Cache-Control": "private, No-Transform"}),
        Response(TEXT, headers=[("Cache-Control", "private"), ("Cache-Control", "no-transform")]),
        Response(TEXT, 206, headers={"Content-Range": "bytes 0-9/10"}),
        Response(TEXT, 206),
        Response(TEXT, headers={"Content-Range": "bytes 0-9/10"}),
        Response(TEXT, headers={"Content-Digest": "sha-256=:x:"}),
        Response(TEXT, headers={"Repr-Digest": "sha-256=:x:"}),
        Response(TEXT, content_type="image/png"),
        Response(TEXT.encode()),
        Response(None, 304, headers={"ETag": '"a"', "Content-Type": "text/plain"}),
        Response(None, 204),
        Response(None, 205),
    ],
)
def test_what_must_not_be_compressed_is_left_as_it_is(response: Response) -> None:
    reply = ask(response)
    assert reply.body == response.body
    given = {(name.lower(), value) for name, value in response.headers}
    told = {pair for pair in reply.headers.lines() if pair[0] != "content-length"}
    assert told == given


def test_types_can_be_chosen() -> None:
    octets = Response(TEXT.encode())
    assert is_compressed(ask(octets, types=["application/octet-stream"]))
    assert not is_compressed(ask(TEXT, types=["application/octet-stream"]))


def test_a_body_is_compressed_once_by_two_plugs() -> None:
    router = Router(through=[compress(), compress()])
    router.get("/", through=[compress()])(lambda request: TEXT)
    reply = LocalClient(router).get("/", headers=GZIP)
    assert reply.headers.get_all("content-encoding") == ["gzip"]
    assert reply.headers.get_all("vary") == ["Accept-Encoding"]
    assert decoded(reply.body, "gzip") == TEXT.encode()


# Fields.


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], "Accept-Encoding"),
        (["Cookie"], "Cookie, Accept-Encoding"),
        (["Cookie", "Origin"], "Cookie, Origin, Accept-Encoding"),
        (["accept-encoding"], "accept-encoding"),
        (["Cookie, ACCEPT-ENCODING"], "Cookie, ACCEPT-ENCODING"),
        (["*"], "*"),
        (["X-Accept-Encoding"], "X-Accept-Encoding, Accept-Encoding"),
    ],
)
@pytest.mark.parametrize("accept", ["gzip", None])
def test_vary_is_merged_with_what_it_says_already(before: list[str], after: str, accept: str | None) -> None:
    reply = ask(Response(TEXT, headers=[("Vary", value) for value in before]), accept)
    assert reply.headers.get_all("vary") == [after]


@pytest.mark.parametrize(("tag", "told", "plain"), [('"abc"', 'W/"abc"', '"abc"'), ('W/"abc"', 'W/"abc"', 'W/"abc"')])
def test_a_strong_validator_becomes_a_weak_one_when_the_octets_are_others(tag: str, told: str, plain: str) -> None:
    response = Response(TEXT, headers={"ETag": tag, "Accept-Ranges": "bytes"})
    for _ in range(2):
        reply = ask(response)
        assert reply.headers["etag"] == told
        assert "accept-ranges" not in reply.headers
        reply = ask(response, None)
        assert reply.headers["etag"] == plain
        assert reply.headers["accept-ranges"] == "bytes"


def test_head_is_told_what_get_is_told() -> None:
    head, get = ask(TEXT, method="HEAD"), ask(TEXT)
    assert (head.status, head.headers.lines()) == (get.status, get.headers.lines())
    assert head.body == b""


# In parts.


def parts_of(text: str) -> Iterator[str]:
    for start in range(0, len(text), 100):
        yield text[start : start + 100]


async def later_parts_of(text: str) -> AsyncIterator[str]:
    for part in parts_of(text):
        yield part


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("make", [parts_of, later_parts_of])
def test_a_body_in_parts_is_compressed_part_by_part(coding: str, make: Any) -> None:
    reply = ask(Response.stream(make(TEXT), content_type="text/html"), coding)
    assert reply.headers["content-encoding"] == coding
    assert decoded(reply.body, coding) == TEXT.encode()


@pytest.mark.parametrize("source", [[], ["", b""], ["x"]])
def test_a_body_in_parts_may_be_empty(source: list[Any]) -> None:
    reply = ask(Response.stream(source, content_type="text/html"))
    assert decoded(reply.body, "gzip") == b"".join(part.encode() for part in source if part)


def test_a_body_in_parts_whose_length_is_known_is_left_alone_when_it_is_small() -> None:
    assert not is_compressed(ask(Response.stream(["x"], content_type="text/html", length=1)))
    reply = ask(Response.stream(parts_of(TEXT), content_type="text/html", length=len(TEXT)))
    assert decoded(reply.body, "gzip") == TEXT.encode()


def test_a_stream_of_unknown_octets_is_left_alone() -> None:
    assert not is_compressed(ask(Response.stream(parts_of(TEXT))))
    assert ask(parts_of(TEXT)).body == TEXT.encode()


def test_events_are_compressed_as_events() -> None:
    events: list[Any] = ["one", {"n": 2}, Event("three", id="3")]
    reply = ask(Response.events(events))
    plain = ask(Response.events(events), None)
    assert decoded(reply.body, "gzip") == plain.body
    assert plain.body.startswith(b"data: one\n\n")


def test_events_get_a_coding_that_is_content_with_little_memory() -> None:
    reply = ask(Response.events(["one"]), "br, gzip;q=0.1")
    assert reply.headers["content-encoding"] == "gzip"
    assert not is_compressed(ask(Response.events(["one"]), "br"))


# Options.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"body_bytes_min": -1}, "body_bytes_min is -1"),
        ({"body_bytes_min": 1.5}, "body_bytes_min is 1.5"),
        ({"body_bytes_min": True}, "body_bytes_min is True"),
        ({"types": ["html"]}, "'html' is no media type"),
        ({"types": "text/html"}, "types= takes a list"),
        ({"codings": ["deflate"]}, "there is no coding 'deflate'; there are zstd, br, gzip"),
        ({"codings": []}, "codings is empty"),
        ({"levels": {"gzip": 0}}, "the level of gzip is 0; it goes from 1 to 9"),
        ({"levels": {"gzip": 10}}, "the level of gzip is 10"),
        ({"levels": {"gzip": "6"}}, "the level of gzip is '6'"),
        ({"levels": {"lzma": 6}}, "levels names 'lzma'"),
    ],
)
def test_options_that_cannot_work_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compress(**options)


def test_a_coding_that_has_no_library_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    only = {"gzip": CODINGS["gzip"]}
    monkeypatch.setattr("tinybeam.plugs.compression.CODINGS", only)
    with pytest.raises(ConfigError, match=r"br has no library here; pip install tinybeam\[compress\]"):
        compress(codings=["br", "gzip"])
    compress(codings=["gzip"], levels={"br": 4, "zstd": 19})


def test_one_coding_may_be_named_alone() -> None:
    assert ask(TEXT, "*", codings="gzip").headers["content-encoding"] == "gzip"


def test_the_function_itself_is_no_plug() -> None:
    with pytest.raises(ConfigError, match="the plug compress must .* call it here"):
        Router(through=[compress])  # type: ignore[list-item]
