"""Every input of the corpora keeps the invariants, also where there is no libFuzzer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import fuzzing

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


def test_a_finding_is_told_with_its_octets_and_without_the_dictionary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.write_text(
        "#!/bin/sh\n"
        'for word; do case "$word" in -artifact_prefix=*) printf abc > "${word#*=}crash-1" ;; esac; done\n'
        "echo '###### Recommended dictionary. ######\n\"GET\" # Uses: 1' >&2\n"
        "echo '###### End of recommended dictionary. ######' >&2\n"
        "echo 'broken: len < 3' >&2; exit 77\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(fuzzing, "BUILD", tmp_path / "build")
    monkeypatch.setattr(fuzzing, "build", lambda *arguments, **options: program)
    words, recipe = fuzzing.fuzz("conn", "clang", 1)
    assert words == "broken: len < 3"
    assert "base64 -d <<< YWJj" in recipe
    assert f"{program} {tmp_path}/build/findings/conn/crash-1" in recipe


def test_the_targets_are_named_when_there_is_no_such_one() -> None:
    done = run(HERE / "fuzzing.py", "nothing")
    assert done.returncode == 2
    assert ", ".join(TARGETS) in done.stderr
