"""The wheel: one for every Python of a platform, with the library in it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree with what is installed here, without the network."""
    pytest.importorskip("scikit_build_core", reason="mix_like_tasks.py test installs scikit-build-core")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT]
    # Without CC, scikit-build-core asks for the compiler that made this Python, which may not be on this machine.
    environ = {"CC": "cc", **os.environ}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ)
    assert done.returncode == 0, done.stdout
    (built,) = folder.glob("*.whl")
    return built


def test_one_wheel_serves_every_python_of_a_platform(wheel: Path) -> None:
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("-any.whl"), "there is compiled code in it"


def test_the_wheel_holds_the_package_and_its_library_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    library = "libtinybeam.dylib" if sys.platform == "darwin" else "libtinybeam.so"
    assert [name for name in names if name.startswith("tinybeam/_native/")] == [f"tinybeam/_native/{library}"]
    assert "tinybeam/py.typed" in names
    assert {name.split("/")[0] for name in names} == {"tinybeam", wheel.name.rsplit("-", 3)[0] + ".dist-info"}


def test_the_package_in_the_wheel_is_whole(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "tinybeam").rglob("*.py")} <= names


def test_the_wheel_brings_the_command_and_the_pytest_plugin(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
    entry_points = archive.read(name).decode()
    assert "tinybeam = tinybeam.cli:main" in entry_points
    assert "[pytest11]\ntinybeam = tinybeam.testing.plugin" in entry_points
