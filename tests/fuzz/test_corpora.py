"""Every input of the corpora keeps the invariants, also where there is no libFuzzer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = sorted(path.stem.removesuffix("_fuzz") for path in HERE.glob("*_fuzz.c"))


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_keeps_the_invariant(target: str) -> None:
    inputs = list((HERE / "corpus" / target).iterdir())
    assert len(inputs) >= 5
    done = run(HERE / "fuzzing.py", "--replay", target)
    assert (done.returncode, done.stdout) == (0, f"{len(inputs)} inputs\n"), done.stderr


def test_every_target_states_its_invariant_first() -> None:
    assert len(TARGETS) == 7
    for target in TARGETS:
        assert (HERE / f"{target}_fuzz.c").read_text().startswith("/* Invariant: ")


def test_a_broken_invariant_ends_the_replay(tmp_path: Path) -> None:
    source = tmp_path / "broken.c"
    source.write_text(
        '#include "fuzz.h"\n'
        "int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len) { FUZZ_CHECK(len < 3); return 0 * octets[0]; }\n"
    )
    program = source.with_suffix("")
    subprocess.run(["cc", "-DFUZZ_REPLAY", f"-I{HERE}", source, "-o", program], check=True)
    broken = subprocess.run([program, source], capture_output=True, text=True)
    assert broken.returncode != 0
    assert "broken: len < 3" in broken.stderr


def test_the_targets_are_named_when_there_is_no_such_one() -> None:
    done = run(HERE / "fuzzing.py", "nothing")
    assert done.returncode == 2
    assert ", ".join(TARGETS) in done.stderr
