"""Codings, by each library: what was coded is decoded to what it was, in one piece or in parts, at every level."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugs.codings import LIBRARIES, Decoder, coding_of, decoded
from tinybeam.plugs.coding import PartsEncoder
from tinybeam.plugs.library import found
from tinybeam.plugs.zstd import zstd

by_library = pytest.mark.parametrize("library", LIBRARIES)
some_octets = st.one_of(
    st.binary(max_size=2000),
    st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=50), st.integers(1, 5000)),
)


@by_library
@given(octets=some_octets, data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_whole_body_comes_back(library: str, octets: bytes, data: st.DataObject) -> None:
    coding = coding_of(library)
    level = data.draw(st.sampled_from(coding.levels))
    assert decoded(coding.whole(octets, level), coding.name) == octets


@by_library
@pytest.mark.parametrize("small", [False, True])
@given(parts=st.lists(some_octets.filter(len), max_size=12), data=st.data())
@settings(deadline=None, max_examples=40)
def test_each_part_comes_back_by_itself(library: str, small: bool, parts: list[bytes], data: st.DataObject) -> None:
    coding = coding_of(library)
    encoder = PartsEncoder(coding.begin(data.draw(st.sampled_from(coding.levels)), small), sum(map(len, parts)))
    decoder = Decoder(coding.name)
    for part in parts:
        assert decoder.decode(encoder.part(part)) == part
        assert not decoder.over
    assert decoder.decode(encoder.end()) == b""
    assert decoder.over


@by_library
def test_every_level_works_both_ways(library: str) -> None:
    coding = coding_of(library)
    octets = b"".join(b"line %d of a text that repeats itself\n" % number for number in range(500))
    assert coding.level in coding.levels
    for level in coding.levels:
        whole = coding.whole(octets, level)
        assert decoded(whole, coding.name) == octets
        assert len(whole) < len(octets)
        for small in (False, True):
            encoder = PartsEncoder(coding.begin(level, small), None)
            assert decoded(encoder.part(octets) + encoder.end(), coding.name) == octets


@by_library
@pytest.mark.parametrize(("given_bytes", "complaint_at"), [(9, "end"), (11, "part")])
def test_a_source_that_gives_something_else_than_was_said_is_found(
    library: str, given_bytes: int, complaint_at: str
) -> None:
    coding = coding_of(library)
    encoder = PartsEncoder(coding.begin(coding.level, False), 10)
    if complaint_at == "end":
        encoder.part(b"x" * given_bytes)
    with pytest.raises(ValueError, match=f"has given {given_bytes} octets, and was to give 10"):
        encoder.end() if complaint_at == "end" else encoder.part(b"x" * given_bytes)


@by_library
def test_threads_that_code_at_the_same_time_do_not_touch_each_others(library: str) -> None:
    coding = coding_of(library)
    results: list[bool] = []

    def work(number: int) -> None:
        parts = [bytes([number]) * 5000, b"%d" % number, b"end"]
        encoder = PartsEncoder(coding.begin(coding.level, number % 2 == 0), None)
        sent = b"".join([*(encoder.part(part) for part in parts), encoder.end()])
        results.append(decoded(sent, coding.name) == b"".join(parts))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


@by_library
def test_an_encoder_that_nobody_ends_is_freed(library: str) -> None:
    coding = coding_of(library)

    class Watched(PartsEncoder):
        __slots__ = ("__weakref__",)

    encoder = Watched(coding.begin(coding.level, True), None)
    encoder.part(b"x")
    gone = weakref.ref(encoder)
    del encoder
    gc.collect()
    assert gone() is None


def test_gzip_holds_nothing_back_of_what_it_was_given() -> None:
    coding = coding_of("zlib")
    encoder = PartsEncoder(coding.begin(coding.level, False), None)
    part = bytes(range(256)) * 256
    encoder.part(part)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(100):
        encoder.part(part)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < len(part)


def test_a_library_that_is_not_there_is_none_and_one_that_is_broken_is_told(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found("tinybeam_no_such", "tinybeam_no_such.inner") is None
    monkeypatch.setattr("tinybeam.plugs.zstd.found", lambda *names: None)
    assert zstd() is None
    monkeypatch.syspath_prepend(str(tmp_path))
    with open(f"{tmp_path}/tinybeam_broken.py", "w") as file:
        file.write("raise ImportError('a shared library is missing')")
    with pytest.raises(ImportError, match="a shared library is missing"):
        found("tinybeam_broken")
