"""mix_like_tasks.py: what it does on a bare machine, when it does things again, and what it says when it cannot."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
TASKS = ROOT / "mix_like_tasks.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the tasks read, as a fresh clone has it."""
    for name in ("mix_like_tasks.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "native" / "src").mkdir(parents=True)
    (tmp_path / "native" / "include").mkdir()
    (tmp_path / "native" / "CMakeLists.txt").touch()
    (tmp_path / "native" / "src" / "engine.c").touch()
    return tmp_path


@pytest.fixture
def tasks(tree: Path) -> ModuleType:
    """The copy's mix_like_tasks, as a module."""
    spec = importlib.util.spec_from_file_location("mix_like_tasks", tree / "mix_like_tasks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def commands(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The commands that the tasks would have become or called; they all seem to succeed, and none is run."""
    seen: list[tuple[str, ...]] = []

    def execute(*command: str) -> None:
        seen.append(command)
        raise SystemExit(0)

    def call(*command: str, quiet: bool = False) -> int:
        seen.append(command)
        return 0

    monkeypatch.setattr(tasks, "execute", execute)
    monkeypatch.setattr(tasks, "call", call)
    return seen


def inside_venv(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the tasks believe that they run in the copy's own environment."""
    tasks.VENV.mkdir()
    monkeypatch.setattr(sys, "prefix", str(tasks.VENV))
    # The tasks put .venv/bin in front of it; this puts it back afterwards.
    monkeypatch.setenv("PATH", os.environ["PATH"])


def make_library(tasks: ModuleType) -> None:
    """Puts a library there that is newer than all sources."""
    tasks.LIBRARY.parent.mkdir(parents=True)
    tasks.LIBRARY.touch()
    newest = max(path.stat().st_mtime_ns for path in tasks.native_sources())
    os.utime(tasks.LIBRARY, ns=(newest + 1, newest + 1))


def run_tasks(tree: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs the copy's file as a user does."""
    command = [sys.executable, str(tree / "mix_like_tasks.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environ})


# Help and wrong usage.


def test_every_task_of_the_project_has_a_help_line(tree: Path) -> None:
    done = run_tasks(tree, "help")
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  "))
    assert " ".join(lines) == "deps.get compile run test test.native test.asan fuzz fmt lint types bench clean help"
    assert done.returncode == 0


def test_no_task_at_all_prints_the_help(tree: Path) -> None:
    assert run_tasks(tree).stdout == run_tasks(tree, "help").stdout


def test_a_misspelt_task_is_told_its_neighbour(tree: Path) -> None:
    done = run_tasks(tree, "tset")
    assert done.stderr == "mix_like_tasks: there is no task named 'tset'; did you mean `test`?\n"
    assert done.returncode == 2


@pytest.mark.parametrize("arguments", [["fmt", "--cheque"], ["clean", "tests"], ["compile", "x"], ["deps.get", "x"]])
def test_an_argument_that_a_task_does_not_know_is_refused(tree: Path, arguments: list[str]) -> None:
    done = run_tasks(tree, *arguments)
    assert done.returncode == 2
    assert arguments[1] in done.stderr


# A bare machine.


def test_an_old_python_is_told_which_one_to_take(tree: Path) -> None:
    program = f"import sys, runpy; sys.version_info = (3, 10, 4); runpy.run_path({str(tree / 'mix_like_tasks.py')!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer, and this is 3.10" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("task", ["compile", "run", "test", "test.native", "lint", "bench"])
def test_a_machine_without_a_compiler_is_told_what_to_install_before_anything_is_made(tree: Path, task: str) -> None:
    done = run_tasks(tree, task, PATH=str(tree), CC="")
    assert done.returncode == 1
    assert "`apt install build-essential`" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tree / ".venv").exists()


def test_a_python_without_ensurepip_is_told_what_to_install(
    tasks: ModuleType,
    commands: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        tasks.enter_venv()
    assert "`apt install python3-venv`" in capsys.readouterr().err
    assert not commands


def test_the_environment_is_made_once_and_the_task_is_run_again_inside(
    tasks: ModuleType, tree: Path, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.VENV.mkdir()
    monkeypatch.setattr(tasks, "make_venv", lambda folder: commands.append(("make", folder.name)))
    monkeypatch.setattr(sys, "argv", ["mix_like_tasks.py", "test", "-q"])
    for _ in range(2):
        with pytest.raises(SystemExit):
            tasks.enter_venv("test")
    again = (str(tree / ".venv" / "bin" / "python"), str(tree / "mix_like_tasks.py"), "test", "-q")
    assert commands == [("make", ".venv"), again, again]


def test_a_half_made_environment_is_made_anew(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    (tasks.VENV / "bin").mkdir(parents=True)
    (tasks.VENV / "bin" / "half").touch()
    monkeypatch.setattr(tasks, "call", lambda *command: 1)
    with pytest.raises(SystemExit):
        tasks.enter_venv()
    assert not tasks.VENV.exists()


@pytest.mark.parametrize("change", ["another Python", "another folder"])
def test_an_environment_of_another_python_or_another_folder_is_made_anew(
    tasks: ModuleType, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    tasks.VENV.mkdir()
    maker = tasks.venv_maker()
    other = maker.replace("cpython", "pypy") if change == "another Python" else maker + "-moved"
    (tasks.VENV / "made-by").write_text(other)
    tasks.BUILD.mkdir()
    monkeypatch.setattr(tasks, "make_venv", lambda folder: commands.append(("make", folder.name)))
    with pytest.raises(SystemExit):
        tasks.enter_venv()
    assert commands[0] == ("make", ".venv")
    assert not tasks.BUILD.exists(), "CMake's cache names the tools of the old environment"


def test_installing_is_done_again_only_when_pyproject_changes(
    tasks: ModuleType, tree: Path, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_venv(tasks, monkeypatch)
    tasks.enter_venv("test")
    assert commands[-1][-1] == f"{tree}[test]"
    first = len(commands)
    tasks.enter_venv("test")
    assert len(commands) == first
    with (tree / "pyproject.toml").open("a") as pyproject:
        pyproject.write("\n# changed\n")
    tasks.enter_venv("test")
    assert len(commands) == 2 * first


def test_an_installation_that_fails_is_tried_again(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    inside_venv(tasks, monkeypatch)
    monkeypatch.setattr(tasks, "call", lambda *command: 1)
    for _ in range(2):
        with pytest.raises(SystemExit):
            tasks.enter_venv("test")
    assert not list(tasks.VENV.glob("installed-*"))


def test_the_tests_do_not_need_what_only_developers_do(
    tasks: ModuleType, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_venv(tasks, monkeypatch)
    make_library(tasks)
    with pytest.raises(SystemExit):
        tasks.main(["test", "-q"])
    assert not any("dev" in part for command in commands for part in command if "[" in part)
    assert commands[-1] == (sys.executable, "-m", "pytest", "-q")


def test_what_the_environment_holds_is_found_by_name(
    tasks: ModuleType, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_venv(tasks, monkeypatch)
    tasks.enter_venv()
    assert os.environ["PATH"].split(os.pathsep)[0] == str(tasks.VENV / "bin")


# The library.


def test_a_fresh_tree_has_a_stale_library(tasks: ModuleType) -> None:
    assert tasks.library_is_stale()


def test_a_library_newer_than_its_sources_is_not_stale(tasks: ModuleType) -> None:
    make_library(tasks)
    assert not tasks.library_is_stale()


@pytest.mark.parametrize("name", ["src/engine.c", "include/tinybeam.h", "CMakeLists.txt"])
def test_a_source_that_was_written_later_makes_the_library_stale(tasks: ModuleType, tree: Path, name: str) -> None:
    make_library(tasks)
    later = tasks.LIBRARY.stat().st_mtime_ns + 1
    (tree / "native" / name).touch()
    os.utime(tree / "native" / name, ns=(later, later))
    assert tasks.library_is_stale()


def test_a_source_that_was_deleted_makes_the_library_stale(tasks: ModuleType, tree: Path) -> None:
    make_library(tasks)
    os.utime(tree / "native" / "src", ns=(0, 0))
    assert not tasks.library_is_stale()
    (tree / "native" / "src" / "engine.c").unlink()
    os.utime(tasks.LIBRARY, ns=(1, (tree / "native" / "src").stat().st_mtime_ns - 1))
    assert tasks.library_is_stale()


def test_a_stale_library_is_compiled_before_the_server_runs(
    tasks: ModuleType, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_venv(tasks, monkeypatch)
    make_library(tasks)
    monkeypatch.setattr(tasks, "library_is_stale", lambda: True)
    with pytest.raises(SystemExit):
        tasks.main(["run"])
    assert [command[1:3] for command in commands][-2:] == [("--build", str(tasks.BUILD / "native")), ("-m", "tinybeam")]


# What the other tasks become.


@pytest.mark.parametrize("arguments", [[], ["--port", "0"]])
def test_run_serves_the_example_unless_an_app_is_named(
    tasks: ModuleType,
    tree: Path,
    commands: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
) -> None:
    inside_venv(tasks, monkeypatch)
    make_library(tasks)
    with pytest.raises(SystemExit):
        tasks.main(["run", *arguments])
    example = ("hello:router", "--app-dir", str(tree / "examples"))
    assert commands[-1] == (sys.executable, "-m", "tinybeam", "run", *example, *arguments)


def test_run_passes_a_named_app_on(
    tasks: ModuleType, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_venv(tasks, monkeypatch)
    make_library(tasks)
    with pytest.raises(SystemExit):
        tasks.main(["run", "shop:router", "--port", "9000"])
    assert commands[-1] == (sys.executable, "-m", "tinybeam", "run", "shop:router", "--port", "9000")


@pytest.mark.parametrize(("arguments", "way"), [([], "-i"), (["--check"], "--dry-run")])
def test_fmt_is_for_both_languages(
    tasks: ModuleType,
    tree: Path,
    commands: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    way: str,
) -> None:
    inside_venv(tasks, monkeypatch)
    tasks.main(["fmt", *arguments])
    ruff, clang_format = commands[-2:]
    assert ruff[1:] == ("format", *arguments, str(tree))
    assert way in clang_format
    assert str(tree / "native" / "src" / "engine.c") in clang_format


def test_fmt_fails_when_either_formatter_does(
    tasks: ModuleType, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside_venv(tasks, monkeypatch)
    for culprit in ("ruff", "clang-format"):
        monkeypatch.setattr(tasks, "call", lambda *command, culprit=culprit: int(Path(command[0]).name == culprit))
        with pytest.raises(SystemExit) as ended:
            tasks.main(["fmt", "--check"])
        assert ended.value.code == 1


def test_clean_keeps_the_environment_unless_all_is_to_go(tree: Path) -> None:
    made = [tree / name for name in ("build", "tinybeam/_native", "tests/http/__pycache__", ".venv")]
    for folder in made:
        folder.mkdir(parents=True)
    run_tasks(tree, "clean")
    assert [folder.exists() for folder in made] == [False, False, False, True]
    run_tasks(tree, "clean", "--all")
    assert not (tree / ".venv").exists()
    assert (tree / "native" / "src" / "engine.c").exists()
