"""Builds and runs the fuzz targets: `python3 mix_like_tasks.py fuzz [TARGET ...]`.

Owns:  how a target is compiled, for libFuzzer or to replay its corpus; where corpora and findings lie.
Knows: that conn_fuzz.c brings sockets of its own, for which sockets.h is put in front of the engine's files.
Never: writes to the corpora of the tree: what is found goes to build/fuzz, and `--merge` takes the best of it over.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "fuzz"
CORPUS = HERE / "corpus"
DICTIONARY = HERE / "http.dict"
TARGETS = sorted(path.stem.removesuffix("_fuzz") for path in HERE.glob("*_fuzz.c"))
# Longer inputs find nothing that these do not, and are slower.
INPUT_BYTES_MAX = 1500

_FLAGS = ["-std=c11", "-D_GNU_SOURCE=", "-g", "-O1", "-fno-omit-frame-pointer", "-pthread"]
_INCLUDES = [f"-I{ROOT / 'native' / 'include'}", f"-I{ROOT / 'native' / 'src'}", f"-I{HERE}"]
_SANITIZERS = ["address", "undefined"]


def build(target: str, compiler: str, *, libfuzzer: bool, sanitizers: list[str]) -> Path:
    """Compiles a target and returns the program. Raises CalledProcessError, with the compiler's words on stderr."""
    folder = BUILD / f"{target}-{'fuzz' if libfuzzer else 'replay'}"
    folder.mkdir(parents=True, exist_ok=True)
    checks = [f"-fsanitize={','.join(sanitizers)}", "-fno-sanitize-recover=all"] if sanitizers else []
    common = [compiler, *_FLAGS, *_INCLUDES, *checks]
    front = ["-include", str(HERE / "sockets.h")] if target == "conn" else []
    instrument = ["-fsanitize=fuzzer-no-link"] if libfuzzer else []

    def compiled(source: Path) -> str:
        path = folder / f"{source.stem}.o"
        subprocess.run([*common, *front, *instrument, "-c", str(source), "-o", str(path)], check=True)
        return str(path)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, sorted((ROOT / "native" / "src").glob("*.c"))))
    program = folder / target
    kind = ["-fsanitize=fuzzer"] if libfuzzer else ["-DFUZZ_REPLAY"]
    subprocess.run([*common, *kind, str(HERE / f"{target}_fuzz.c"), *objects, "-o", str(program)], check=True)
    return program


def fuzz(target: str, compiler: str, seconds: int) -> list[str]:
    """Runs a target for so long, says how far it came, and returns what it found: for each finding, all that a reader
    who has nothing else needs to have it again."""
    program = build(target, compiler, libfuzzer=True, sanitizers=_SANITIZERS)
    growing = BUILD / "corpus" / target
    findings = BUILD / "findings" / target
    for folder in (growing, findings):
        folder.mkdir(parents=True, exist_ok=True)
    # The clock is the wall's: on a machine that is held up, an input is not slow because it took long.
    patience = ["-timeout=300", "-report_slow_units=300"]
    limits = [f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES_MAX}", "-rss_limit_mb=2048", *patience]
    words = [f"-dict={DICTIONARY}", f"-artifact_prefix={findings}/", "-print_final_stats=1", "-verbosity=0"]
    before = set(findings.iterdir())
    log = BUILD / f"{target}.log"
    with log.open("wb") as file:
        code = subprocess.run([program, *limits, *words, growing, CORPUS / target], stderr=file).returncode
    said = log.read_text(errors="replace")
    print(f"    {', '.join(_stat(said, name) for name in ('number_of_executed_units', 'new_units_added'))}", flush=True)
    if code == 0:
        return []
    found = sorted(set(findings.iterdir()) - before)
    return [_last_words(said), *(_recipe(program, path) for path in found)]


def _stat(said: str, name: str) -> str:
    match = re.search(rf"stat::{name}:\s*(\d+)", said)
    return f"{name.replace('_', ' ')}: {match[1] if match else 'not told'}"


def _last_words(said: str) -> str:
    """libFuzzer's report without the dictionary that it recommends, which is long and tells nothing."""
    lines = re.sub(r"(?s)###### Rec.*?###### End of recommended dictionary. ######\n", "", said).splitlines()
    return "\n".join(lines[-80:])


def _recipe(program: Path, path: Path) -> str:
    """The input itself too: where the run is over, its files may be gone."""
    octets = base64.b64encode(path.read_bytes()).decode()
    return f"a finding in {path}\n  replay it with: {program} {path}\n  its octets: base64 -d <<< {octets}"


def merge(target: str, compiler: str) -> None:
    """Takes over into the tree's corpus what adds to its coverage."""
    program = build(target, compiler, libfuzzer=True, sanitizers=_SANITIZERS)
    subprocess.run([program, "-merge=1", "-verbosity=0", CORPUS / target, BUILD / "corpus" / target], check=True)


def replay(target: str) -> bool:
    """Runs a target over its corpus, with any compiler and the sanitizers that it has. True when all is well."""
    compiler = next(
        (name for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name and shutil.which(name)), "cc"
    )
    try:
        program = build(target, compiler, libfuzzer=False, sanitizers=_SANITIZERS)
    except subprocess.CalledProcessError:
        print(f"{target}: {compiler} has no sanitizers here, so this runs without them", file=sys.stderr)
        program = build(target, compiler, libfuzzer=False, sanitizers=[])
    return subprocess.run([program, *sorted((CORPUS / target).iterdir())]).returncode == 0


def main() -> int:
    """Runs the targets one after the other; 1 when one of them has found something."""
    parser = argparse.ArgumentParser(prog="fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"some of: {', '.join(TARGETS)}  [all]")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs [60]")
    parser.add_argument("--merge", action="store_true", help="take over what earlier runs have found into the corpora")
    parser.add_argument("--replay", action="store_true", help="only run the corpora; this needs no clang")
    options = parser.parse_args()
    for name in options.targets:
        if name not in TARGETS:
            parser.error(f"there is no target {name!r}; there are: {', '.join(TARGETS)}")
    if options.replay:
        return 0 if all(replay(target) for target in options.targets or TARGETS) else 1
    clang = shutil.which("clang")
    if clang is None:
        print(
            "fuzz: libFuzzer comes with clang, which is not installed (Debian: apt-get install clang)", file=sys.stderr
        )
        return 3
    reports: dict[str, list[str]] = {}
    for target in options.targets or TARGETS:
        print(f"==> {target}", flush=True)
        if options.merge:
            merge(target, clang)
        elif report := fuzz(target, clang, options.seconds):
            reports[target] = report
    # At the end, where whoever reads only that sees them.
    for target, report in reports.items():
        print(f"\nfuzz: {target} found something", *report, sep="\n", file=sys.stderr)
    return 1 if reports else 0


if __name__ == "__main__":
    sys.exit(main())
