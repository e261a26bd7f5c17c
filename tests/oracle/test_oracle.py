"""The engine's parser against h11, over connections made up by a seed.

TINYBEAM_ORACLE_CASES sets how many (20,000 otherwise), TINYBEAM_ORACLE_SEED where they begin. A failure names its seed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from compare import difference, row_of
from disagreements import TABLE, document
from generator import Generator
from readings import Message, Ours, Reading, read_by_h11

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCES = ("parser", "target", "authority", "fields", "framing", "body")


CASES = int(os.environ.get("TINYBEAM_ORACLE_CASES", "20000"))
SEED = int(os.environ.get("TINYBEAM_ORACLE_SEED", "0"))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Ours:
    library = tmp_path_factory.mktemp("oracle") / "oracle.so"
    compiler = next(name for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name and shutil.which(name))
    sources = [HERE / "oracle.c", *(ROOT / "native" / "src" / f"{name}.c" for name in SOURCES)]
    includes = [f"-I{ROOT / 'native' / folder}" for folder in ("include", "src")]
    flags = ["-std=c11", "-D_GNU_SOURCE=", "-O1", "-g", "-fPIC", "-shared"]
    subprocess.run([compiler, *flags, *includes, *sources, "-o", library], check=True)
    return Ours(library)


def test_every_difference_is_one_that_we_know_of_and_every_one_of_those_is_met(ours: Ours) -> None:
    met = set()
    agreed = 0
    for seed in range(SEED, SEED + CASES):
        octets = Generator(seed).connection()
        found = difference(ours.read(octets), read_by_h11(octets))
        if found is None:
            agreed += 1
            continue
        row = row_of(*found)
        assert row is not None, f"seed {seed}: {': '.join(found)}\n{octets!r}"
        met.add(row)
    assert agreed > CASES / 2, "most of what is made up is read the same by both"
    never = [f"{row.who}: {row.why}" for row in TABLE if row not in met and not row.rare]
    assert not never or CASES < 20_000, f"no seed comes to {never}"


def test_the_document_is_that_of_the_table() -> None:
    assert (ROOT / "docs" / "h11-differences.md").read_text() == document()


def test_the_same_seed_gives_the_same_connection() -> None:
    assert [Generator(7).connection(), Generator(8).connection()] == [
        Generator(7).connection(),
        Generator(8).connection(),
    ]
    assert Generator(7).connection() != Generator(8).connection()


ONE = Message(b"GET", b"/", b"1.1", [(b"host", b"a")], b"", [])
TWO = Message(b"GET", b"/", b"1.1", [(b"host", b"b")], b"", [])


@pytest.mark.parametrize(
    ("own", "other", "who"),
    [
        (Reading([ONE], "more"), Reading([ONE], "more"), None),
        (Reading([ONE], "refused", "400 x"), Reading([ONE], "refused", "400 y"), None),
        (Reading([ONE], "refused", "400 x"), Reading([ONE], "more"), "we refuse"),
        (Reading([ONE], "more"), Reading([], "refused", "400 y"), "h11 refuses"),
        (Reading([ONE], "more"), Reading([TWO], "more"), ""),
        (Reading([ONE, ONE], "more"), Reading([ONE], "more"), ""),
        (Reading([ONE], "close"), Reading([ONE], "more"), ""),
    ],
)
def test_a_difference_is_seen(own: Reading, other: Reading, who: str | None) -> None:
    found = difference(own, other)
    assert (None if found is None else found[0]) == who
    if who == "":
        assert found is not None
        assert row_of(*found) is None, "no row may excuse it"
