#!/usr/bin/env python3
"""The project's tasks, with mix's names where mix has one; `python3 mix_like_tasks.py help` lists them.

Owns: the environment .venv, the folder build/, and the place of the native library in the tree.
Knows: that pyproject.toml says what to install, and native/CMakeLists.txt how to compile; it repeats neither.
Never: needs more than python3 and a C compiler to begin with, or takes a half-made environment for a whole one.
"""

import sys

# An old Python must be able to parse this whole file and to run it up to here, to be told what to do.
if sys.version_info < (3, 11):
    sys.exit(
        f"mix_like_tasks: this needs Python 3.11 or newer, and this is {sys.version_info[0]}.{sys.version_info[1]}; "
        "run this file with a newer one, for example `python3.12 mix_like_tasks.py`"
    )

import difflib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BENCH_VENV = ROOT / ".venv-bench"
BUILD = ROOT / "build"
LIBRARY = ROOT / "tinybeam" / "_native" / ("libtinybeam.dylib" if sys.platform == "darwin" else "libtinybeam.so")


def main(argv: list[str]) -> None:
    """Runs the task that the first argument names, with the arguments that follow it."""
    name, *arguments = argv or ["help"]
    name = "help" if name in ("-h", "--help") else name
    if name not in TASKS:
        close = difflib.get_close_matches(name, TASKS, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "`help` lists them"
        fail(f"there is no task named {name!r}; {hint}", code=2)
    try:
        TASKS[name](arguments)
    except KeyboardInterrupt:
        sys.exit(130)


# The tasks. The first line of each docstring is what `help` prints.


def deps_get(arguments: list[str]) -> None:
    """make .venv and install everything that the other tasks use"""
    take_none("deps.get", arguments)
    enter_venv("test")
    install("dev")


def compile_(arguments: list[str]) -> None:
    """compile the C engine, as far as it changed, into tinybeam/_native"""
    take_none("compile", arguments)
    find_compiler()
    enter_venv()
    compile_library()


def run(arguments: list[str]) -> NoReturn:
    """serve examples/hello.py on http://127.0.0.1:8000, or what follows: [MODULE:ATTR] [--port N ...]"""
    prepare()
    if not arguments or arguments[0].startswith("-"):
        arguments = ["hello:router", "--app-dir", str(ROOT / "examples"), *arguments]
    # Nothing of ours stays between the terminal and the server, so signals reach it and its exit code is ours.
    execute(sys.executable, "-m", "tinybeam", "run", *arguments)


def test(arguments: list[str]) -> NoReturn:
    """run all tests, C and Python: [pytest's arguments]"""
    prepare("test")
    os.chdir(ROOT)
    execute(sys.executable, "-m", "pytest", *arguments)


def test_native(arguments: list[str]) -> NoReturn:
    """run the C tests alone, and fail where a sanitizer is missing: [pytest's arguments]"""
    os.environ["TINYBEAM_SANITIZE"] = "required"
    find_compiler()  # the tests compile too
    prepare("test")
    os.chdir(ROOT)
    execute(sys.executable, "-m", "pytest", "tests/native", *arguments)


def test_asan(arguments: list[str]) -> NoReturn:
    """run the Python tests over an engine under AddressSanitizer and UBSan; needs gcc: [pytest's arguments]"""
    prepare("test")
    library = BUILD / "asan" / "libtinybeam.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-std=c11", "-D_GNU_SOURCE=", "-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
    includes = [f"-I{ROOT / 'native' / folder}" for folder in ("include", "src")]
    sources = sorted(str(path) for path in (ROOT / "native" / "src").glob("*.c"))
    if call("gcc", *flags, *includes, "-fPIC", "-shared", "-pthread", *sources, "-o", str(library)):
        fail("the engine does not compile with gcc -fsanitize=address,undefined; is gcc installed, with libasan?")
    runtimes = [
        subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    os.environ["TINYBEAM_LIBRARY"] = str(library)
    os.environ["LD_PRELOAD"] = " ".join(runtimes)
    # Python's own memory is not ours to judge. Leaks of the engine are looked for by the C tests.
    os.environ["ASAN_OPTIONS"] = "detect_leaks=0"
    os.environ["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
    # What runs other programs, which do not take kindly to a preloaded sanitizer, or has sanitizers of its own.
    left_out = ["tests/fuzz", "tests/oracle", "tests/native/test_c_units.py"]
    # Children of fork run Python, with the locks of the sanitizer's allocator as another thread may have left them.
    # What forks mean to the engine is told by engine_fork_test.c, under the sanitizers too.
    left_out += [f"tests/faults/test_{name}.py" for name in ("async_forks", "forks")]
    # And what measures memory and time.
    left_out += [f"tests/faults/test_{name}.py" for name in ("bombs", "descriptors", "downloads", "pipelines")]
    left_out += [f"tests/test_{name}.py" for name in ("foreign_clients", "tasks", "wheel")]
    os.chdir(ROOT)
    # The portable engine has nothing that a sanitizer could see.
    execute(sys.executable, "-m", "pytest", "--engine=native", *(f"--ignore={path}" for path in left_out), *arguments)


def fuzz(arguments: list[str]) -> NoReturn:
    """look for inputs that break the C engine's invariants; needs clang: [--seconds N] [TARGET ...]"""
    enter_venv("test")
    os.chdir(ROOT)
    execute(sys.executable, "tests/fuzz/fuzzing.py", *arguments)


def fmt(arguments: list[str]) -> None:
    """format the Python and the C, or only say what is not: [--check]"""
    if arguments not in ([], ["--check"]):
        fail(f"fmt takes --check or nothing, not {' '.join(arguments)}", code=2)
    enter_venv("dev")
    c_files = sorted(str(path) for folder in ("native", "tests") for path in (ROOT / folder).rglob("*.[ch]"))
    python = call("ruff", "format", *arguments, str(ROOT))
    c = call("clang-format", *(["--dry-run", "--Werror"] if arguments else ["-i"]), *c_files) if c_files else 0
    if python or c:
        sys.exit(1)


def lint(arguments: list[str]) -> None:
    """look for mistakes: ruff, and every warning of gcc and clang as an error: [ruff's arguments]"""
    compilers = [name for name in ("gcc", "clang") if shutil.which(name)] or [find_compiler()]
    enter_venv("dev")
    failures = call("ruff", "check", *arguments, str(ROOT))
    for compiler in compilers:
        say(f"compiling native/ with {compiler}, warnings are errors")
        defines = [f"-DCMAKE_C_COMPILER={compiler}", "-DTINYBEAM_WERROR=ON"]
        failures += cmake_build(BUILD / f"lint-{Path(compiler).name}", *defines)
    if failures:
        sys.exit(1)


def types(arguments: list[str]) -> None:
    """check the types with mypy --strict, and what users see of them with pyright: [mypy's arguments]"""
    enter_venv("dev")
    os.chdir(ROOT)
    failures = call("mypy", *arguments) + call("pyright", "--pythonpath", sys.executable)
    if failures:
        sys.exit(1)


def bench(arguments: list[str]) -> NoReturn:
    """measure Tinybeam beside other servers, which live in .venv-bench: [benchmarks/run.py's arguments]"""
    prepare()
    make_bench_venv()
    # Tinybeam itself runs from .venv: what the other servers bring along must not change its figures.
    os.chdir(ROOT)
    execute(str(BENCH_VENV / "bin" / "python"), "benchmarks/run.py", *arguments)


def clean(arguments: list[str]) -> None:
    """remove what was compiled and cached; the environments too with --all"""
    if arguments not in ([], ["--all"]):
        fail(f"clean takes --all or nothing, not {' '.join(arguments)}", code=2)
    caches = [ROOT / name for name in (".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "dist")]
    folders = ("tinybeam", "tests", "examples", "benchmarks")
    caches += [cache for folder in folders for cache in (ROOT / folder).rglob("__pycache__")]
    environments = [VENV, BENCH_VENV] if arguments else []
    for path in [BUILD, LIBRARY.parent, ROOT / "__pycache__", *caches, *environments]:
        shutil.rmtree(path, ignore_errors=True)


def help_(arguments: list[str]) -> None:
    """print this list"""
    take_none("help", arguments)
    print("usage: python3 mix_like_tasks.py TASK [ARGUMENTS]\n")
    for name, task in TASKS.items():
        print(f"  {name:<12} {(task.__doc__ or '').splitlines()[0]}")


TASKS: dict[str, Callable[[list[str]], None]] = {
    "deps.get": deps_get,
    "compile": compile_,
    "run": run,
    "test": test,
    "test.native": test_native,
    "test.asan": test_asan,
    "fuzz": fuzz,
    "fmt": fmt,
    "lint": lint,
    "types": types,
    "bench": bench,
    "clean": clean,
    "help": help_,
}


# The environment.


def enter_venv(extra: str = "") -> None:
    """Re-runs the task inside .venv, made where it is missing; once inside, installs the project and returns."""
    if Path(sys.prefix).resolve() != VENV.resolve():
        if read(VENV / "made-by") != venv_maker():
            make_venv(VENV)
            # CMake's cache names the environment's tools and the place of the tree: it goes when they go.
            shutil.rmtree(BUILD, ignore_errors=True)
            (VENV / "made-by").write_text(venv_maker())
        execute(str(VENV / "bin" / "python"), str(ROOT / "mix_like_tasks.py"), *sys.argv[1:])
    # As `activate` does: cmake, ninja, ruff and the others are found by name, by us and by what we run.
    os.environ["PATH"] = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    install(extra)


def venv_maker() -> str:
    """What an environment depends on: another Python, or a tree that was moved or copied, needs a new one."""
    return f"{sys.implementation.cache_tag}{sys.abiflags} {ROOT}"


def make_venv(folder: Path) -> None:
    """Makes an empty environment; leaves nothing behind when that fails."""
    if importlib.util.find_spec("ensurepip") is None:
        fail("this Python cannot make environments with pip in them: `apt install python3-venv` (Debian, Ubuntu)")
    say(f"making {folder.name}")
    shutil.rmtree(folder, ignore_errors=True)
    if call(sys.executable, "-m", "venv", str(folder)):
        shutil.rmtree(folder, ignore_errors=True)
        fail(f"`{sys.executable} -m venv` could not make {folder}; what it said stands above")


def install(extra: str) -> None:
    """Installs the project, editable and with this extra, into the environment we are in, unless that was done."""
    pyproject = (ROOT / "pyproject.toml").read_bytes()
    stamp, digest = VENV / f"installed-{extra or 'base'}", hashlib.sha256(pyproject).hexdigest()
    if read(stamp) == digest:
        return
    say(f"installing {extra or 'what the server needs'} into .venv (once)")
    build_tools = [*tomllib.loads(pyproject.decode())["build-system"]["requires"], "cmake", "ninja"]
    pip_install(sys.executable, *build_tools)
    # cmake=false: the task `compile` does that incrementally, and to the same place.
    project = f"{ROOT}[{extra}]" if extra else str(ROOT)
    pip_install(sys.executable, "--no-build-isolation", "--config-settings=wheel.cmake=false", "--editable", project)
    stamp.write_text(digest)


def make_bench_venv() -> None:
    """Makes .venv-bench with whichever of the other servers can be installed here."""
    requirements = "\n".join(path.read_text() for path in sorted((ROOT / "benchmarks").glob("requirements*.txt")))
    digest = hashlib.sha256((requirements + venv_maker()).encode()).hexdigest()
    if read(BENCH_VENV / "installed") == digest:
        return
    make_venv(BENCH_VENV)
    for line in requirements.splitlines():
        requirement = line.split("#")[0].strip()
        # One by one, since a server that does not build on this machine must not keep the others out.
        if requirement and call(str(BENCH_VENV / "bin" / "python"), *PIP_INSTALL, requirement):
            say(f"{requirement} cannot be installed here, so it will not be measured")
    (BENCH_VENV / "installed").write_text(digest)


PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def pip_install(python: str, *arguments: str) -> None:
    """Runs pip, and ends the task when it fails."""
    if call(python, *PIP_INSTALL, *arguments):
        fail("pip could not install what stands above: is a package index within reach?")


# The library.


def prepare(extra: str = "") -> None:
    """Everything that a task needs to import tinybeam: the environment and an up-to-date library."""
    if library_is_stale():
        find_compiler()
    enter_venv(extra)
    if library_is_stale():
        compile_library()


def library_is_stale() -> bool:
    """Whether something in native/ is newer than the library; the folders count, so that a deleted file is noticed."""
    if not LIBRARY.exists():
        return True
    made = LIBRARY.stat().st_mtime_ns
    return any(path.stat().st_mtime_ns > made for path in native_sources())


def native_sources() -> Iterator[Path]:
    """All that the library is made of."""
    yield ROOT / "native" / "CMakeLists.txt"
    for folder in ("include", "src"):
        yield ROOT / "native" / folder
        yield from (ROOT / "native" / folder).rglob("*")


def compile_library() -> None:
    """Builds the library in place; what did not change is not compiled again."""
    say("compiling native/")
    if cmake_build(BUILD / "native", "-DTINYBEAM_IN_PLACE=ON"):
        fail("the C engine did not compile; the compiler's message stands above")
    # ninja leaves the library alone when nothing of weight changed, which must not make it look stale for ever.
    os.utime(LIBRARY)


def cmake_build(folder: Path, *defines: str) -> int:
    """Configures and builds native/ in this folder; returns the exit code."""
    source = str(ROOT / "native")
    configure = ("cmake", "-S", source, "-B", str(folder), "-G", "Ninja", "--log-level=WARNING", *defines)
    return call(*configure, quiet=True) or call("cmake", "--build", str(folder), "--", "--quiet")


def find_compiler() -> str:
    """The C compiler that CMake will find, or the end of the task with a line that says what to install."""
    candidates = [os.environ.get("CC", ""), "cc", "gcc", "clang"]
    found = next((name for name in candidates if name and shutil.which(name)), None)
    if found is None:
        fail(
            "no C compiler is installed (looked for cc, gcc and clang): `apt install build-essential` (Debian, Ubuntu),"
            " `dnf install gcc` (Fedora), `apk add build-base` (Alpine) or `xcode-select --install` (macOS)"
        )
    return found


# Small tools.


def call(*command: str, quiet: bool = False) -> int:
    """Runs a command and returns its exit code; quiet shows its output only when it failed."""
    if not quiet:
        return subprocess.run(command).returncode
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.stderr.write(done.stdout)
    return done.returncode


def execute(*command: str) -> NoReturn:
    """Becomes this command."""
    sys.stdout.flush()
    os.execvp(command[0], command)


def take_none(name: str, arguments: list[str]) -> None:
    """Refuses arguments, for a task that has no use for them."""
    if arguments:
        fail(f"{name} takes no arguments, and got {' '.join(arguments)}", code=2)


def read(path: Path) -> str | None:
    """The text of a file, None where there is none."""
    return path.read_text() if path.is_file() else None


def say(message: str) -> None:
    """Tells what is being done, on stderr: stdout belongs to the task."""
    print(f"==> {message}", file=sys.stderr, flush=True)


def fail(message: str, code: int = 1) -> NoReturn:
    """Ends the task with one line."""
    print(f"mix_like_tasks: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
