"""Places: the user's line, whatever is between it and the router."""

import os
from pathlib import Path

import pytest

from tinybeam import Router
from tinybeam.router.place import caller_place

HERE = Path(__file__)


def line_of(marker: str) -> int:
    return 1 + HERE.read_text().splitlines().index(next(row for row in HERE.read_text().splitlines() if marker in row))


def test_the_place_is_the_line_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parent)
    place = caller_place()  # the call itself
    assert place == f"{HERE.name}:{line_of('# the call itself')}"


def test_a_file_elsewhere_is_named_in_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert caller_place().startswith(f"{HERE}:")


def test_a_route_knows_the_line_that_declared_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parent)
    router = Router()
    router.get("/a", do="a")  # the constant
    router.post("/b")(lambda request: "b")  # the handler
    places = [endpoint.route.place for endpoint in router.compile().endpoints[:2]]
    assert places == [f"{HERE.name}:{line_of('# the constant')}", f"{HERE.name}:{line_of('# the handler')}"]


def test_a_working_directory_that_is_gone_does_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FileNotFoundError):
        os.getcwd()
    assert caller_place().startswith(str(HERE))
