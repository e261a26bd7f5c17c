"""compress through a running server, with clients of someone else, and streams that are read part by part."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import subprocess
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import httpx
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugs.codings import Decoder, decoded
from tinybeam import Event, Response, Router
from tinybeam.plugs import compress, compression
from tinybeam.plugs.coding import PartsEncoder
from tinybeam.plugs.compression import CODINGS
from tinybeam.process import Wait
from tinybeam.server import streams

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Connect, Gates, Serving, Until

pytestmark = pytest.mark.usefixtures("no_faults")

PATIENCE_S = 30
TEXT = "some text that repeats itself, " * 10_000
CURL = shutil.which("curl")


def app_of(make: Any, *, is_async: bool = False, **options: Any) -> Router:
    router = Router(through=[compress(**options)])
    if is_async:

        @router.get("/")
        async def later(request: Any) -> Any:
            await asyncio.sleep(0)
            return make()
    else:

        @router.get("/")
        def handler(request: Any) -> Any:
            return make()

    return router


class Chunks:
    """The chunks of one answer, decoded as they come."""

    def __init__(self, conn: RawConn, accept: str) -> None:
        conn.get("/", extra=f"Accept-Encoding: {accept}\r\n")
        self.file: BinaryIO = conn.sock.makefile("rb")
        head = iter(self.file.readline, b"\r\n")
        self.head = {name.lower(): value.strip() for name, _, value in (line.decode().partition(":") for line in head)}
        assert self.head["transfer-encoding"] == "chunked"
        self.decoder = Decoder(self.head["content-encoding"])

    def next(self) -> bytes:
        """The next chunk; b"" when the last one has come, and all that follows the last part before it."""
        length = int(self.file.readline(), 16)
        octets = self.file.read(length)
        assert self.file.readline() == b"\r\n"
        return self.decoder.decode(octets) if length else b""

    def rest(self) -> bytes:
        found = []
        while not self.decoder.over:
            found.append(self.next())
        assert self.next() == b""
        return b"".join(found)


# Whole bodies.


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize("make", [lambda: TEXT, lambda: Response.stream([TEXT[:99], TEXT[99:]], content_type="text/x")])
@pytest.mark.parametrize("coding", CODINGS)
def test_curl_decodes_it(make: Any, coding: str, serving: Serving) -> None:
    assert CURL is not None
    # Under a sanitizer its runtime is loaded before all else, and is none of curl's business.
    env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    features = subprocess.run([CURL, "--version"], capture_output=True, text=True, check=True, env=env).stdout
    if {"zstd": "zstd", "br": "brotli", "gzip": "libz"}[coding] not in features:
        pytest.skip(f"this curl knows no {coding}")
    running = serving(app_of(make, codings=[coding]))
    command = [CURL, "-sS", "--compressed", "--noproxy", "*", "-D", "-", running.url]
    answer = subprocess.run(command, capture_output=True, check=True, timeout=60, env=env).stdout
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Encoding: " + coding.encode() in head
    assert body.decode() == TEXT


@pytest.mark.parametrize("is_async", [False, True])
def test_httpx_and_requests_decode_it(is_async: bool, serving: Serving) -> None:
    running = serving(app_of(lambda: {"text": TEXT}, is_async=is_async))
    reply = httpx.get(running.url, trust_env=False, timeout=PATIENCE_S)
    assert reply.headers["content-encoding"] in CODINGS
    assert reply.json() == {"text": TEXT}
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(running.url, timeout=PATIENCE_S).json() == {"text": TEXT}


@pytest.mark.parametrize("coding", CODINGS)
def test_the_length_is_that_of_what_is_sent_for_head_too(coding: str, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(app_of(lambda: TEXT)).url)
    lengths = []
    for method in ("HEAD", "GET", "HEAD"):
        conn.get("/", method, f"Accept-Encoding: {coding}\r\n")
        reply = conn.reply(method)
        assert reply.headers["content-encoding"] == coding
        assert reply.headers["vary"] == "Accept-Encoding"
        lengths.append(int(reply.headers["content-length"]))
        if method == "GET":
            assert decoded(reply.body, coding) == TEXT.encode()
            assert len(reply.body) == lengths[-1] < len(TEXT)
    assert len(set(lengths)) == 1


def test_what_is_answered_by_the_router_itself_is_compressed_too(serving: Serving, connect: Connect) -> None:
    router = Router(through=[compress(body_bytes_min=0, codings=["gzip"])])
    router.get("/constant", do="constant, " * 10)
    conn = connect(serving(router).url)
    conn.get("/constant", extra="Accept-Encoding: gzip\r\n")
    assert decoded(conn.reply().body, "gzip") == b"constant, " * 10
    conn.get("/none", extra="Accept-Encoding: gzip, identity;q=0\r\n")
    assert decoded(conn.reply().body, "gzip") == b"Not Found"


@pytest.mark.parametrize("coding", CODINGS)
def test_any_body_comes_back_in_whatever_pieces(coding: str, serving: Serving, connect: Connect) -> None:
    made: list[Any] = []
    running = serving(app_of(lambda: made.pop(), body_bytes_min=0))
    conn = connect(running.url)
    pieces = st.lists(st.one_of(st.binary(min_size=1, max_size=300), st.builds(bytes, st.integers(1, 40_000))))

    @settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
    @given(parts=pieces)
    def check(parts: list[bytes]) -> None:
        made.append(Response.stream(parts, content_type="text/plain"))
        assert Chunks(conn, coding).rest() == b"".join(parts)
        made.append(Response(b"".join(parts), content_type="text/plain"))
        conn.get("/", extra=f"Accept-Encoding: {coding}, identity;q=0\r\n")
        reply = conn.reply()
        assert (decoded(reply.body, coding) if reply.body else b"") == b"".join(parts)

    check()


# In parts.


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("is_async", [False, True])
def test_each_part_arrives_before_the_next_one_is_made(
    coding: str, is_async: bool, serving: Serving, connect: Connect, gates: Gates
) -> None:
    opened = [gates(), gates()]

    def parts() -> Iterator[str]:
        yield "first"
        opened[0].wait()
        yield "second"
        opened[1].wait()

    async def later_parts() -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        yield "first"
        await loop.run_in_executor(None, opened[0].wait)
        yield "second"
        await loop.run_in_executor(None, opened[1].wait)

    make = later_parts if is_async else parts
    running = serving(app_of(lambda: Response.stream(make(), content_type="text/plain"), is_async=is_async))
    chunks = Chunks(connect(running.url), coding)
    assert chunks.next() == b"first"
    opened[0].open()
    assert chunks.next() == b"second"
    opened[1].open()
    assert chunks.rest() == b""


def test_events_arrive_one_by_one_and_the_connection_goes_on(serving: Serving, connect: Connect, gates: Gates) -> None:
    gate = gates()

    def events() -> Iterator[Any]:
        yield Event("one", id="1")
        gate.wait()
        yield {"n": 2}

    running = serving(app_of(lambda: Response.events(events())))
    conn = connect(running.url)
    chunks = Chunks(conn, "gzip")
    assert chunks.next() == b"id: 1\ndata: one\n\n"
    gate.open()
    assert chunks.rest() == b'data: {"n":2}\n\n'
    assert Chunks(conn, "gzip").rest() == b'id: 1\ndata: one\n\ndata: {"n":2}\n\n'


def test_signs_of_life_are_compressed_with_the_events(serving: Serving, connect: Connect) -> None:
    running = serving(app_of(lambda: Response.events(iter([Wait()]), heartbeat_s=0.0)))
    chunks = Chunks(connect(running.url), "gzip")
    assert [chunks.next(), chunks.next()] == [b":\n\n", b":\n\n"]


@pytest.mark.parametrize("coding", [name for name, coding in CODINGS.items() if coding.is_small])
def test_signs_of_life_never_come_amidst_a_part_or_after_the_end(
    coding: str, serving: Serving, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LOOK_MS", 0)

    def events() -> Iterator[Any]:
        for number in range(2000):
            yield number
            if number % 100 == 0:
                yield Wait(0.001)

    running = serving(app_of(lambda: Response.events(events(), heartbeat_s=0.0)))
    octets = Chunks(connect(running.url), coding).rest()
    assert octets.replace(b":\n\n", b"") == b"".join(b"data: %d\n\n" % number for number in range(2000))


def test_a_drain_ends_compressed_events_as_whole_ones(serving: Serving, connect: Connect) -> None:
    running = serving(app_of(lambda: Response.events(iter(["first", Wait()]))))
    chunks = Chunks(connect(running.url), "gzip")
    assert chunks.next() == b"data: first\n\n"
    assert running.drain(PATIENCE_S * 1000)
    assert chunks.rest() == b""


def test_a_slow_client_still_costs_a_window(serving: Serving, connect: Connect, until: Until) -> None:
    made: list[int] = []

    def endless() -> Iterator[bytes]:
        state = 1
        while True:
            made.append(1)
            # Octets that no coding makes smaller, or the window would never be full.
            part = bytearray()
            while len(part) < 4096:
                state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
                part += (state >> 16 & (1 << 48) - 1).to_bytes(6, "big")
            yield bytes(part)

    running = serving(app_of(lambda: Response.stream(endless(), content_type="text/plain")))
    chunks = Chunks(connect(running.url), "gzip")
    chunks.next()

    def at_rest() -> bool:
        before = len(made)
        threading.Event().wait(0.05)
        return len(made) == before

    until(at_rest)


def test_an_encoder_goes_with_its_client(
    serving: Serving, connect: Connect, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Any]] = []

    class Watched(PartsEncoder):
        __slots__ = ("__weakref__",)

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(compression, "PartsEncoder", Watched)
    running = serving(app_of(lambda: Response.events(iter(["first", Wait()]), heartbeat_s=0.0)))
    for leaves in (True, False):
        conn = connect(running.url)
        chunks = Chunks(conn, "gzip")
        chunks.next()
        if leaves:
            chunks.file.close()
            conn.close()
            until(lambda: running.stats()["streams"] == 0)
        else:
            running.stop()
        until(lambda: gc.collect() + 1 and made[-1]() is None)
    assert len(made) == 2


@pytest.mark.parametrize("parts", [["x" * 2000], ["x" * 2000, "y" * 2000], ["x" * 4000, "y"]])
def test_a_source_that_gives_another_length_than_it_said_is_cut_off(
    parts: list[str], serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    length = 3000 if len(parts) == 1 else 3500
    running = serving(app_of(lambda: Response.stream(parts, content_type="text/plain", length=length)))
    conn = connect(running.url)
    conn.get("/", extra="Accept-Encoding: gzip\r\n")
    octets = conn.rest()
    assert b"Content-Encoding: gzip" in octets
    assert not octets.endswith(b"0\r\n\r\n")
    [report] = [record for record in caplog.records if record.name == "tinybeam.crash"]
    assert report.exc_info is not None
    assert f"and was to give {length}" in str(report.exc_info[1])


def test_a_source_that_raises_is_cut_off_and_nothing_is_ended(serving: Serving, connect: Connect) -> None:
    def broken() -> Iterator[str]:
        yield "part"
        raise RuntimeError("broken")

    running = serving(app_of(lambda: Response.stream(broken(), content_type="text/plain")))
    conn = connect(running.url)
    chunks = Chunks(conn, "gzip")
    assert chunks.next() == b"part"
    assert chunks.file.read() == b""
    assert not chunks.decoder.over


def test_head_of_a_stream_makes_no_part(serving: Serving, connect: Connect) -> None:
    made: list[int] = []

    def parts() -> Iterator[str]:
        made.append(1)
        yield "part"

    conn = connect(serving(app_of(lambda: Response.stream(parts(), content_type="text/plain"))).url)
    for _ in range(2):
        conn.get("/", "HEAD", "Accept-Encoding: gzip\r\n")
        reply = conn.reply("HEAD")
        assert reply.headers["content-encoding"] == "gzip"
        assert "content-length" not in reply.headers
    assert made == []
