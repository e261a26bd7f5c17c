"""The portable engine's reading of the same connections: it has to be the native engine's."""

from __future__ import annotations

import dataclasses
import os

from compare import same
from generator import Generator
from portable_reader import read_by_portable
from readings import Message, Ours, Pieces, Reading

# It reads some thousand connections a second.
CASES = min(int(os.environ.get("TINYBEAM_ORACLE_CASES", "5000")), 20_000)
SEED = int(os.environ.get("TINYBEAM_ORACLE_SEED", "0"))
# A long trailer line is judged when it is whole (docs/portable-engine.md).
WAITS = "400 a trailer line is malformed"


def differs(native: Reading, portable: Reading) -> str | None:
    """What is read in two ways; the words of a refusal do not count, but its status does."""
    if native.why.startswith(WAITS) and portable.end == "more":
        return None
    if (native.end, native.why[:3]) != (portable.end, portable.why[:3]):
        return f"it ends as {native.end} {native.why!r}, and as {portable.end} {portable.why!r}"
    if len(native.requests) != len(portable.requests) or native.stops != portable.stops:
        return f"requests end at {native.stops}, and at {portable.stops}"
    pairs = zip(native.requests, portable.requests, strict=True)
    return next((f"{one} is also read as {other}" for one, other in pairs if not same(plain(one), plain(other))), None)


def plain(message: Message) -> Message:
    """Without the zeros before a length, some of which the portable engine does not hand over."""
    fields = [
        (name, value.lstrip(b"0") or b"0" if name == b"content-length" else value) for name, value in message.fields
    ]
    return dataclasses.replace(message, fields=fields)


def check(ours: Ours, pieces: Pieces, seed: int) -> None:
    difference = differs(ours.read(pieces), read_by_portable(pieces))
    assert difference is None, f"seed {seed}: {difference}\n{b''.join(pieces)!r}"


def test_the_portable_engine_reads_what_the_native_one_reads(ours: Ours) -> None:
    for seed in range(SEED, SEED + CASES):
        check(ours, [Generator(seed).connection()], seed)


def test_it_does_so_however_the_octets_are_cut(ours: Ours) -> None:
    for seed in range(SEED, SEED + CASES):
        generator = Generator(seed)
        check(ours, generator.pieces(generator.connection()), seed)
