"""The border to C: the one file that knows ctypes.

Owns:  finding and loading the engine's library, the prototypes of its calls, and the checks that both sides agree.
Knows: native/include/tinybeam.h; a test compares the prototypes with it.
Never: a callback (C never calls Python), a call per field, or `PyDLL`, which would hold the GIL.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from collections.abc import Callable
from ctypes import (
    POINTER,
    Structure,
    c_char_p,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from importlib import resources
from typing import Any, Final, Literal

from tinybeam.contract import COUNTERS, KNOBS
from tinybeam.errors import NativeError

ABI_VERSION: Final = 5
LIBRARY_VARIABLE: Final = "TINYBEAM_LIBRARY"
NO_RUNNER: Final = 0xFFFF_FFFF
# Of glibc's malloc.h.
_M_ARENA_MAX: Final = -8

FILE_HEAD: Final = 1
FILE_PRECOMPRESSED: Final = 2


class EngineConfig(Structure):
    """`tb_config`; 0 means the engine's default."""

    _fields_ = [(name, c_uint64) for name in KNOBS]


class StaticOptions(Structure):
    """`tb_static`."""

    _fields_ = [("index", c_char_p), ("fields", c_char_p), ("fields_len", c_uint64), ("flags", c_uint64)]


class FileAnswer(Structure):
    """`tb_file`."""

    _fields_ = [
        *((name, c_char_p) for name in ("path", "root", "name", "type")),
        *(pair for name in ("fields", "lasting", "asked") for pair in ((name, c_char_p), (f"{name}_len", c_uint64))),
        *((name, c_uint64) for name in ("status", "flags", "length")),
    ]


class EngineStats(Structure):
    """`tb_stats`."""

    _fields_ = [(name, c_uint64) for name in COUNTERS]


# What each call returns and takes, as in the header. Octets that C only reads go as c_char_p, which takes the address
# of a bytes object without a copy; their length always goes with them, so a NUL inside means nothing.
PROTOTYPES: Final[dict[str, tuple[Any, list[Any]]]] = {
    "tb_abi_version": (c_uint32, []),
    "tb_config_size": (c_uint64, []),
    "tb_stats_size": (c_uint64, []),
    "tb_engine_open": (c_int32, [POINTER(EngineConfig), POINTER(c_void_p)]),
    "tb_engine_close": (c_int32, [c_void_p]),
    "tb_engine_free": (None, [c_void_p]),
    "tb_engine_before_fork": (c_int32, [c_void_p]),
    "tb_engine_after_fork": (c_int32, [c_void_p]),
    "tb_engine_abandon": (c_int32, [c_void_p]),
    "tb_engine_listen": (c_int32, [c_void_p, c_char_p, c_uint16, c_uint32]),
    "tb_engine_listen_unix": (c_int32, [c_void_p, c_char_p, c_uint32]),
    "tb_engine_add_constant": (
        c_int32,
        [c_void_p, c_char_p, c_size_t, c_uint32, c_char_p, c_size_t, c_char_p, c_size_t],
    ),
    "tb_engine_add_static": (c_int32, [c_void_p, c_char_p, c_size_t, c_char_p, POINTER(StaticOptions)]),
    "tb_engine_drain": (c_int32, [c_void_p]),
    "tb_engine_wake": (c_int32, [c_void_p]),
    "tb_engine_wakeup_fd": (c_int32, [c_void_p]),
    "tb_runner_open": (c_int32, [c_void_p]),
    "tb_runner_close": (c_int32, [c_void_p, c_uint32]),
    "tb_runner_phase": (POINTER(c_uint8), [c_void_p, c_uint32]),
    "tb_runner_news": (POINTER(c_uint64), [c_void_p, c_uint32]),
    "tb_runner_forfeit": (c_int32, [c_void_p, c_uint32]),
    "tb_engine_poll": (c_int64, [c_void_p, c_uint32, c_char_p, c_size_t, c_void_p, c_size_t]),
    "tb_engine_batch_bytes": (c_uint64, [c_void_p]),
    "tb_engine_respond": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "tb_engine_push": (c_int32, [c_void_p, c_uint32, c_uint64, c_uint32, c_char_p, c_size_t]),
    "tb_body_open": (c_int32, [c_void_p, c_uint64, c_uint64]),
    "tb_body_take": (c_int64, [c_void_p, c_uint64, c_void_p, c_size_t]),
    "tb_body_trailers": (c_int64, [c_void_p, c_uint64, c_void_p, c_size_t]),
    "tb_engine_client": (c_int32, [c_void_p, c_uint64]),
    "tb_engine_send_file": (c_int32, [c_void_p, c_uint32, c_uint64, POINTER(FileAnswer)]),
    "tb_engine_set_timeout": (c_int32, [c_void_p, c_uint64, c_uint64]),
    "tb_engine_overdue": (c_int32, [c_void_p, POINTER(c_uint64), c_size_t]),
    "tb_engine_stats": (c_int32, [c_void_p, POINTER(EngineStats)]),
}


def library_path() -> str:
    """Where the library is: what TINYBEAM_LIBRARY names, else beside this package."""
    given = os.environ.get(LIBRARY_VARIABLE)
    if given:
        return given
    name = "libtinybeam.dylib" if sys.platform == "darwin" else "libtinybeam.so"
    return str(resources.files("tinybeam").joinpath("_native", name))


@functools.cache
def load() -> ctypes.CDLL:
    """The engine's library, ready to call. Raises NativeError that names the path tried and what to do."""
    path = library_path()
    build = "build it with `python mix_like_tasks.py compile`, or install the package anew with `pip install`"
    try:
        if _is_cut_off(path):
            raise OSError("the file is cut off")
        library = ctypes.CDLL(path)
    except OSError as error:
        raise NativeError(f"cannot load the engine's library {path}: {error}; {build}") from error
    try:
        for name, (result, arguments) in PROTOTYPES.items():
            call = getattr(library, name)
            call.restype = result
            call.argtypes = arguments
    except AttributeError as error:
        raise NativeError(f"the engine's library {path} is another version's: {error}; {build}") from error
    _check(library, path, build)
    return library


def _is_cut_off(path: str) -> bool:
    """Whether an ELF file of 64 bits ends before the table at its end does: to load it would kill the process."""
    if not os.path.isfile(path):
        return False  # a name that the system's loader looks for, or nothing at all
    with open(path, "rb") as file:
        head = file.read(64)
    if head[:5] != b"\x7fELF\2" or len(head) < 64:
        return False
    order: Literal["little", "big"] = "little" if head[5] == 1 else "big"
    begin, each, count = (int.from_bytes(head[at:to], order) for at, to in ((40, 48), (58, 60), (60, 62)))
    return os.path.getsize(path) < begin + each * count


def _check(library: ctypes.CDLL, path: str, build: str) -> None:
    found = library.tb_abi_version()
    if found != ABI_VERSION:
        raise NativeError(f"the engine's library {path} speaks ABI {found}, this package {ABI_VERSION}; {build}")
    sizes = (library.tb_config_size(), library.tb_stats_size())
    if sizes != (ctypes.sizeof(EngineConfig), ctypes.sizeof(EngineStats)):
        raise NativeError(f"the engine's library {path} has structs of other sizes {sizes}; {build}")


def limit_arenas(most: int) -> bool:
    """Has all threads of this process share so many of glibc's arenas, from which malloc takes memory. False where
    there are none, or MALLOC_ARENA_MAX says how many there shall be.

    By itself glibc makes up to eight for each core as threads come, and each keeps what was ever needed in it.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_ARENA_MAX, most) == 1


# Arguments for the calls that `direct` gives. Those that stay the same are made once.
pointer_argument = c_void_p.from_param
size_argument = c_size_t.from_param
uint64_argument = c_uint64.from_param


def direct(library: ctypes.CDLL, name: str) -> Callable[..., int]:
    """A call for hot paths: ctypes looks at no prototype, which takes longer than most calls do.

    Each argument has to be what one of the functions above has made, bytes, or an int where C takes an int32_t or a
    uint32_t.
    """
    call = library[name]
    call.restype = PROTOTYPES[name][0]
    return call


def empty_pointer() -> c_void_p:
    """A pointer for a call to fill in."""
    return c_void_p()


def address_of(buffer: bytearray) -> tuple[Any, int]:
    """A ctypes view of a bytearray and its address. While the view lives, the bytearray cannot change its size."""
    view = (c_uint8 * len(buffer)).from_buffer(buffer)
    return view, ctypes.addressof(view)


def octet_at(pointer: Any) -> memoryview:
    """The octet that a pointer names, as a writable memoryview of length 1."""
    return memoryview((c_uint8 * 1).from_address(ctypes.addressof(pointer.contents))).cast("B")


def uint64s_at(pointer: Any, length: int) -> memoryview:
    """The numbers that a pointer names, as a memoryview."""
    return memoryview((c_uint64 * length).from_address(ctypes.addressof(pointer.contents))).cast("B").cast("Q")


def uint64_array(length: int) -> Any:
    """An array for C to write numbers into."""
    return (c_uint64 * length)()
