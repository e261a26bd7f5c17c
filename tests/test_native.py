"""The border: prototypes, structs, codes and flags as the header has them, and libraries that are refused (14, 15)."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

import pytest

from tinybeam import contract, native
from tinybeam.errors import NativeError

ROOT = Path(__file__).resolve().parents[1]
HEADER = (ROOT / "native" / "include" / "tinybeam.h").read_text()
CODE = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)

RESULTS: dict[str, Any] = {
    "uint32_t": c_uint32,
    "uint64_t": c_uint64,
    "int32_t": c_int32,
    "int64_t": c_int64,
    "uint8_t *": POINTER(c_uint8),
    "uint64_t *": POINTER(c_uint64),
    "void": None,
}
# The types that an argument of the C type may have here. `const void *` is what C only reads: octets.
ARGUMENTS: dict[str, Any] = {
    "const tb_config *": POINTER(native.EngineConfig),
    "const tb_static *": POINTER(native.StaticOptions),
    "tb_stats *": POINTER(native.EngineStats),
    "tb_file *": POINTER(native.FileAnswer),
    "tb_engine **": POINTER(c_void_p),
    "tb_engine *": c_void_p,
    "const char *": c_char_p,
    "const void *": c_char_p,
    "void *": c_void_p,
    "size_t": c_size_t,
    "uint16_t": c_uint16,
    "uint64_t": c_uint64,
    "uint64_t *": POINTER(c_uint64),
    "uint32_t": c_uint32,
}
WORDS = {c_uint64, c_int64, c_size_t, c_void_p}


def split(declaration: str) -> tuple[str, str]:
    """The type and the name of "const void *answers"."""
    match = re.fullmatch(r"(.*?)(\w+)", " ".join(declaration.split()))
    assert match is not None, declaration
    return match[1].strip(), match[2]


def calls() -> dict[str, tuple[str, list[str]]]:
    """Each exported call: the type of its result and those of its arguments, as the header writes them."""
    found = {}
    for result, arguments in re.findall(r"^TB_EXPORT ([^;(]*)\(([^)]*)\)", CODE, re.M):
        kind, name = split(result)
        found[name] = (kind, [split(one)[0] for one in arguments.split(",") if one.strip() != "void"])
    return found


def fields(struct: str) -> list[tuple[str, str]]:
    """The type and name of each member of a struct of the header."""
    match = re.search(rf"typedef struct {struct} \{{(.*?)\}} {struct};", CODE, re.S)
    assert match is not None, struct
    return [split(one) for one in match[1].split(";") if one.strip()]


def constants(prefix: str) -> dict[str, int]:
    """The values of the header's #defines that begin so, by what follows the prefix."""
    found = re.findall(rf"#define TB_{prefix}(\w+) \(?(-?\d+)\)?$", re.sub(r"[ \t]+$", "", CODE, flags=re.M), re.M)
    return {name: int(value) for name, value in found}


def test_the_header_is_read_whole() -> None:
    assert len(calls()) == len(re.findall(r"^TB_EXPORT ", CODE, re.M))
    assert len(calls()) >= 21
    assert {"OK", "EINVAL", "ESYSTEM", "ABI_VERSION", "POLL_WAKE", "KIND_HTML"} <= constants("").keys()


def test_every_call_of_the_header_has_its_prototype() -> None:
    assert native.PROTOTYPES.keys() == calls().keys()


@pytest.mark.parametrize("name", calls())
def test_the_prototype_is_the_headers(name: str) -> None:
    result, arguments = calls()[name]
    expected = (RESULTS[result], [ARGUMENTS[argument] for argument in arguments])
    assert native.PROTOTYPES[name] == expected
    loaded = getattr(native.load(), name)
    assert (loaded.restype, loaded.argtypes) == expected


@pytest.mark.parametrize(("struct", "ours"), [("tb_config", native.EngineConfig), ("tb_stats", native.EngineStats)])
def test_a_structs_fields_stand_where_the_header_has_them(struct: str, ours: type[ctypes.Structure]) -> None:
    assert [("uint64_t", name) for name, kind in ours._fields_ if kind is c_uint64] == fields(struct)
    # Members of one type stand one after the other in C, and so they do here.
    assert [getattr(ours, name).offset for name, _ in ours._fields_] == [8 * i for i in range(len(ours._fields_))]
    assert ctypes.sizeof(ours) == getattr(native.load(), f"{struct}_size")()


@pytest.mark.parametrize(("struct", "ours"), [("tb_static", native.StaticOptions), ("tb_file", native.FileAnswer)])
def test_a_structs_pointers_and_numbers_stand_where_the_header_has_them(
    struct: str, ours: type[ctypes.Structure]
) -> None:
    kinds = {"uint64_t": c_uint64, "const char *": c_char_p, "const void *": c_char_p}
    # A pointer is written with its name: "const char *path".
    wanted = [(name, kinds[kind]) for kind, name in fields(struct)]
    assert [(field[0], field[1]) for field in ours._fields_] == wanted
    assert [getattr(ours, name).offset for name, _ in wanted] == [8 * i for i in range(len(wanted))]


def test_codes_and_flags_have_the_headers_values() -> None:
    assert constants("")["ABI_VERSION"] == native.ABI_VERSION
    codes = {name: value for name, value in constants("").items() if re.fullmatch(r"OK|E[A-Z]+", name)}
    assert len(codes) >= 12
    assert {name: getattr(contract, name) for name in codes} == codes
    flags = constants("POLL_")
    assert len(flags) >= 6
    assert {name: getattr(contract, f"POLL_{name}") for name in flags} == flags
    of_files = constants("FILE_")
    assert len(of_files) == 2
    assert {name: getattr(native, f"FILE_{name}") for name in of_files} == of_files


def test_every_code_has_a_meaning_that_is_raised() -> None:
    for code in range(contract.ELIMIT, contract.OK):
        with pytest.raises(NativeError, match="the call: .*[a-z]") as caught:
            contract.checked(code, "the call")
        assert caught.value.code == code
        assert "code -" not in str(caught.value)
    with pytest.raises(OSError, match="Address already in use") as refused:
        contract.checked(contract.ESYSTEM - 98, "the call")
    assert refused.value.errno == 98
    assert contract.checked(0, "x") == 0
    assert contract.checked(1 << 40, "x") == 1 << 40


def compile_library(tmp_path: Path, source: str) -> str:
    """A shared library of this source; a test without a C compiler is skipped."""
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        pytest.skip("no C compiler is installed")
    (tmp_path / "made.c").write_text(f"#include <stddef.h>\n#include <stdint.h>\n{source}")
    path = tmp_path / "libmade.so"
    subprocess.run([compiler, "-shared", "-fPIC", tmp_path / "made.c", "-o", path], check=True)
    return str(path)


def echo_source() -> str:
    """A library with every call of the header, which stores its 64-bit arguments and gives one back."""
    lines = ["uint64_t seen[8];"]
    for name, (result, arguments) in calls().items():
        names = [f"a{i}" for i in range(len(arguments))]
        typed = ", ".join(
            f"{re.sub('tb_(config|stats|static|file|engine)', 'void', kind)} {argument}"
            for kind, argument in zip(arguments, names, strict=True)
        )
        stores = "".join(f" seen[{i}] = (uint64_t){argument};" for i, argument in enumerate(names))
        values = {"void": "", "int64_t": " return INT64_MIN + 5;", "uint64_t": " return UINT64_MAX - 5;"}
        values["uint8_t *"] = " return (uint8_t *)0x7edcba9876543210;"
        lines.append(f"{result} {name}({typed or 'void'}) {{{stores}{values.get(result, ' return 0;')} }}")
    return "\n".join(lines)


def test_values_beyond_32_bits_pass_through_every_argument_and_result(tmp_path: Path) -> None:
    library = ctypes.CDLL(compile_library(tmp_path, echo_source()))
    seen = (c_uint64 * 8).in_dll(library, "seen")
    results = {c_int64: -(1 << 63) + 5, c_uint64: (1 << 64) - 6}
    for name, (result, arguments) in native.PROTOTYPES.items():
        call = getattr(library, name)
        call.restype, call.argtypes = result, arguments
        values: list[Any] = [0x8765_4321_0FED_CBA0 + i if kind in WORDS else None for i, kind in enumerate(arguments)]
        # What is no word is 0, or no pointer.
        narrow = [0 if kind in (c_uint16, c_uint32) else None for kind in arguments]
        answer = call(*(least if value is None else value for value, least in zip(values, narrow, strict=True)))
        assert [seen[i] for i, value in enumerate(values) if value is not None] == [v for v in values if v is not None]
        if result in results:
            assert answer == results[result]
        if result == POINTER(c_uint8):
            assert ctypes.cast(answer, c_void_p).value == 0x7EDC_BA98_7654_3210


@pytest.mark.parametrize("name", ["tb_body_take", "tb_engine_poll", "tb_engine_push", "tb_engine_respond"])
def test_values_beyond_32_bits_pass_through_direct_calls_as_well(tmp_path: Path, name: str) -> None:
    library = ctypes.CDLL(compile_library(tmp_path, echo_source()))
    seen = (c_uint64 * 8).in_dll(library, "seen")
    result, kinds = native.PROTOTYPES[name]
    made = {
        c_void_p: native.pointer_argument,
        c_size_t: native.size_argument,
        c_uint64: native.uint64_argument,
        c_uint32: int,
        c_char_p: lambda _value: b"octets",
    }
    values = [0x8765_4321_0FED_CBA0 + i if kind in WORDS else 0xFFFF_FFFF for i, kind in enumerate(kinds)]
    answer = native.direct(library, name)(*(made[kind](value) for kind, value in zip(kinds, values, strict=True)))
    numbers = [i for i, kind in enumerate(kinds) if kind is not c_char_p]
    assert [seen[i] for i in numbers] == [values[i] for i in numbers]
    assert answer == (-(1 << 63) + 5 if result is c_int64 else 0)


@pytest.fixture
def load_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ctypes.CDLL]:
    """Loads the library from this path, as a first load would."""

    def load(path: str) -> ctypes.CDLL:
        monkeypatch.setenv(native.LIBRARY_VARIABLE, path)
        return native.load.__wrapped__()

    return load


def test_a_missing_library_is_told_with_its_path_and_the_task_that_builds_it(
    load_from: Callable[[str], ctypes.CDLL],
) -> None:
    with pytest.raises(NativeError) as caught:
        load_from("/no/such/libtinybeam.so")
    assert "/no/such/libtinybeam.so" in str(caught.value)
    assert "mix_like_tasks.py compile" in str(caught.value)


def test_a_file_that_is_no_library_is_told_likewise(load_from: Callable[[str], ctypes.CDLL], tmp_path: Path) -> None:
    path = tmp_path / "libtinybeam.so"
    path.write_text("this is no library")
    with pytest.raises(NativeError, match="mix_like_tasks.py compile"):
        load_from(str(path))


def test_a_library_that_was_not_written_to_its_end_is_told_likewise(
    load_from: Callable[[str], ctypes.CDLL], tmp_path: Path
) -> None:
    whole = Path(compile_library(tmp_path, library_source(native.ABI_VERSION))).read_bytes()
    path = tmp_path / "cut.so"
    for length in (len(whole) - 1, len(whole) // 2, 64, 10, 0):
        path.write_bytes(whole[:length])
        with pytest.raises(NativeError, match=r"cannot load .*cut\.so"):
            load_from(str(path))


def library_source(abi: int, config_size: int = ctypes.sizeof(native.EngineConfig), without: str = "") -> str:
    special = {
        "tb_abi_version": f"uint32_t tb_abi_version(void) {{ return {abi}; }}",
        "tb_config_size": f"uint64_t tb_config_size(void) {{ return {config_size}; }}",
        "tb_stats_size": f"uint64_t tb_stats_size(void) {{ return {ctypes.sizeof(native.EngineStats)}; }}",
    }
    return "\n".join(special.get(name, f"int {name}(void) {{ return 0; }}") for name in calls() if name != without)


def test_a_library_that_fits_is_taken(load_from: Callable[[str], ctypes.CDLL], tmp_path: Path) -> None:
    version = native.ABI_VERSION
    assert load_from(compile_library(tmp_path, library_source(version))).tb_abi_version() == version


def test_a_library_of_another_abi_version_is_refused(load_from: Callable[[str], ctypes.CDLL], tmp_path: Path) -> None:
    path = compile_library(tmp_path, library_source(native.ABI_VERSION + 1))
    with pytest.raises(NativeError, match=f"speaks ABI {native.ABI_VERSION + 1}") as caught:
        load_from(path)
    assert path in str(caught.value)
    assert "mix_like_tasks.py compile" in str(caught.value)


def test_a_library_whose_structs_have_other_sizes_is_refused(
    load_from: Callable[[str], ctypes.CDLL], tmp_path: Path
) -> None:
    path = compile_library(tmp_path, library_source(native.ABI_VERSION, config_size=8))
    with pytest.raises(NativeError, match="structs of other sizes"):
        load_from(path)


def test_a_library_that_lacks_a_call_is_refused(load_from: Callable[[str], ctypes.CDLL], tmp_path: Path) -> None:
    path = compile_library(tmp_path, library_source(native.ABI_VERSION, without="tb_engine_respond"))
    with pytest.raises(NativeError, match="tb_engine_respond") as caught:
        load_from(path)
    assert path in str(caught.value)


def test_threads_share_as_many_arenas_as_they_are_told_unless_the_environment_says() -> None:
    program = """
import ctypes, threading
from tinybeam.native import limit_arenas
told = limit_arenas(2)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
gate = threading.Barrier(9)

def take():
    for _ in range(100):
        libc.malloc(1000)
    gate.wait()

for _ in range(8):
    threading.Thread(target=take).start()
gate.wait()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
print(told)
"""
    if not hasattr(ctypes.CDLL(None), "malloc_info"):
        pytest.skip("this C library has no arenas")
    for environment, told, most in ((), True, 2), ((("MALLOC_ARENA_MAX", "5"),), False, 5):
        done = subprocess.run(
            [sys.executable, "-c", program],
            # A sanitizer, where one is loaded before all else, has a malloc of its own.
            env={**{k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}, **dict(environment)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"{told}" in done.stdout
        assert 1 <= done.stdout.count("<heap nr=") <= most
