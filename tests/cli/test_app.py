"""MODULE:ATTR: what is found, and one clear line for everything that is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinybeam.cli.app import load_app, split_target
from tinybeam.errors import ConfigError
from tinybeam.router import Router

APP = "from tinybeam import Router\nrouter = Router()\n"


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports is forgotten after it."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(target: str, directory: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        load_app(target, directory)
    return str(refused.value)


def test_the_router_that_is_named_is_found(tmp_path: Path) -> None:
    (tmp_path / "found_here.py").write_text(APP + "class admin:\n    api = Router()\n")
    module = sys.modules
    assert isinstance(load_app("found_here:router", tmp_path), Router)
    assert load_app("found_here:admin.api", tmp_path) is module["found_here"].admin.api
    assert load_app("found_here", tmp_path) is module["found_here"].router


def test_a_module_in_a_package_is_found(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "web.py").write_text(APP)
    assert isinstance(load_app("shop.web:router", tmp_path), Router)


def test_the_app_dir_comes_before_all_other_directories_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "this_dir_first.py").write_text(APP)
    load_app("this_dir_first:router", tmp_path)
    load_app("this_dir_first:router", tmp_path)
    assert sys.path[0] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("hello.py", "hello:router"),
        ("hello.py:app", "hello:app"),
        ("./src/shop/web.py:app", "src.shop.web:app"),
        ("../hello.py", "hello:router"),
        ("shop/web:app", "shop.web:app"),
    ],
)
def test_a_file_is_answered_with_what_to_write(target: str, advice: str) -> None:
    with pytest.raises(ConfigError, match=f"looks like a file; name the module instead: {advice} "):
        split_target(target)


@pytest.mark.parametrize(
    "target", ["", ":", ":router", "hello:", "hello:a:b", "hello:make()", ".hello:app", "a b:c", "a..b:c"]
)
def test_what_is_not_of_the_form_is_answered_with_an_example(target: str) -> None:
    with pytest.raises(ConfigError, match="is not of the form MODULE:ATTR; write for example hello:router"):
        split_target(target)


def test_a_module_that_is_not_there_is_named_with_the_directory_searched(tmp_path: Path) -> None:
    message = refusal("not_there:router", tmp_path)
    assert message.startswith(f"there is no module 'not_there' in {tmp_path} ")
    assert "--app-dir" in message


def test_a_package_that_lacks_the_module_is_told_apart_from_a_missing_package(tmp_path: Path) -> None:
    (tmp_path / "half_there").mkdir()
    (tmp_path / "half_there" / "__init__.py").write_text("")
    assert "no module 'half_there.web'" in refusal("half_there.web:router", tmp_path)
    assert "no module 'nowhere'" in refusal("nowhere.web:router", tmp_path)


def test_a_missing_attribute_names_the_file_and_the_routers_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "other_name.py").write_text(APP.replace("router =", "app ="))
    message = refusal("other_name:router", tmp_path)
    assert f"({tmp_path / 'other_name.py'}) has no attribute 'router'" in message
    assert message.endswith("did you mean other_name:app?")
    assert "has no attribute 'app.inner'" in refusal("other_name:app.inner", tmp_path)


def test_a_module_without_any_router_is_told_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "empty_one.py").write_text("")
    assert refusal("empty_one", tmp_path).endswith("; make one in it: router = Router()")


def test_an_attribute_that_is_no_router_is_named_by_its_type(tmp_path: Path) -> None:
    (tmp_path / "wrong_kind.py").write_text(APP + "def app(): ...\n")
    message = refusal("wrong_kind:app", tmp_path)
    assert message == "wrong_kind:app is a function, not a Router or an Application; did you mean wrong_kind:router?"
    assert "is the class Router; name one that was made" in refusal("wrong_kind:Router", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "import os\nimport not_installed_anywhere\n",
            ":2: ModuleNotFoundError: No module named 'not_installed_anywhere'",
        ),
        ("from os import no_such_name\n", ":1: ImportError: cannot import name 'no_such_name' from 'os'"),
        ("\n\n1 / 0\n", ":3: ZeroDivisionError: division by zero"),
        ("def f(:\n", ":1: SyntaxError: "),
        ("import sys\nsys.exit(1)\n", ":2: it called sys.exit(): 1"),
        ("raise RuntimeError\n", ":1: RuntimeError"),
        ("import importlib\nimportlib.import_module('not_installed_anywhere')\n", ":2: ModuleNotFoundError: "),
    ],
)
def test_what_the_users_module_raises_is_told_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "breaks.py").write_text(text)
    message = refusal("breaks:router", tmp_path)
    assert message.startswith(f"cannot import breaks: {tmp_path / 'breaks.py'}{words}")


def test_an_import_that_fails_further_down_is_told_with_the_place_further_down(tmp_path: Path) -> None:
    (tmp_path / "top.py").write_text("import middle_one\n")
    (tmp_path / "middle_one.py").write_text("\nimport top_missing\n")
    assert f"{tmp_path / 'middle_one.py'}:2: ModuleNotFoundError" in refusal("top:router", tmp_path)


def test_an_error_that_tinybeam_raises_while_importing_is_told_with_the_users_line(tmp_path: Path) -> None:
    (tmp_path / "our_error.py").write_text("import tinybeam.config\n\ntinybeam.config.Config(port=-1)\n")
    message = refusal("our_error:router", tmp_path)
    assert message.startswith(f"cannot import our_error: {tmp_path / 'our_error.py'}:3: ConfigError: port is -1;")


def test_the_exception_of_the_module_is_kept_as_the_cause(tmp_path: Path) -> None:
    (tmp_path / "caused.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError) as refused:
        load_app("caused:router", tmp_path)
    assert isinstance(refused.value.__cause__, ZeroDivisionError)
