"""The compiled library: it exports the contract and nothing else, holds no globals, and needs nothing of Python."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "tinybeam" / "_native" / "libtinybeam.so"
# What the compiler and the linker put into every library.
RUNTIME_SYMBOLS = {"__dso_handle", "__TMC_END__", "_edata", "_end", "__bss_start"}
RUNTIME_SYMBOL_STEMS = {"completed", "data_start"}

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads ELF"),
    pytest.mark.skipif(shutil.which("nm") is None, reason="nm (binutils) is not installed"),
]


def symbols(*options: str) -> list[list[str]]:
    """The symbols that nm shows: name, value, class, type, size, line, section."""
    command = ["nm", "--format=sysv", *options, str(LIBRARY)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if line.count("|") == 6]


def test_it_exports_exactly_what_the_header_promises() -> None:
    header = (ROOT / "native" / "include" / "tinybeam.h").read_text()
    promised = set(re.findall(r"^TB_EXPORT .*?\b(tb_\w+)\(", header, re.M))
    assert {name for name, *_ in symbols("--dynamic", "--defined-only")} - RUNTIME_SYMBOLS == promised


def test_it_needs_nothing_of_python() -> None:
    assert [name for name, *_ in symbols("--dynamic", "--undefined-only") if re.match(r"_?Py", name)] == []


def test_it_holds_no_globals() -> None:
    # Constants that hold pointers are in .data.rel.ro, which is read-only once the library is loaded.
    writable = {".data", ".bss", ".tdata", ".tbss", "*COM*"}
    found = {name for name, *_, section in symbols() if section in writable}
    assert {name for name in found - RUNTIME_SYMBOLS if name.partition(".")[0] not in RUNTIME_SYMBOL_STEMS} == set()
