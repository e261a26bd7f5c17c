"""The engine's parser as a library of its own; and lets the files of this folder import each other: they are of no use
to anybody else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from readings import Ours  # noqa: E402 - found by the line above

SOURCES = ("parser", "target", "authority", "fields", "framing", "body")


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Ours:
    compiler = next(
        (name for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name and shutil.which(name)), None
    )
    if compiler is None:
        pytest.fail("no C compiler is installed (looked for cc, gcc and clang)", pytrace=False)
    library = tmp_path_factory.mktemp("oracle") / "oracle.so"
    sources = [HERE / "oracle.c", *(ROOT / "native" / "src" / f"{name}.c" for name in SOURCES)]
    includes = [f"-I{ROOT / 'native' / folder}" for folder in ("include", "src")]
    flags = [
        "-std=c11",
        "-D_GNU_SOURCE=",
        "-O1",
        "-g",
        "-fPIC",
        "-shared",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Wshadow",
    ]
    done = subprocess.run([compiler, *flags, *includes, *sources, "-o", library], capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"the oracle does not compile:\n{done.stderr}", pytrace=False)
    return Ours(library)
