"""Files in one piece, for where no engine sends them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tinybeam.http import Headers, Request, Response
from tinybeam.router.delivery import name_beneath, whole_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.css").write_bytes(b"body {}")
    (tmp_path / "in" / ".hidden").write_bytes(b"hidden")
    (tmp_path / "out.txt").write_bytes(b"out")
    (tmp_path / "in" / "link").symlink_to("../out.txt")
    os.utime(tmp_path / "in" / "a.css", (784111777, 784111777))
    return tmp_path / "in"


def asking(method: str = "GET", **fields: str) -> Request:
    block = Headers.of((name.replace("_", "-"), value) for name, value in fields.items())
    return Request(7, method, "/", None, block._block)


def test_a_file_is_read_with_what_is_said_of_it(folder: Path) -> None:
    response = whole_file(asking(), Response.file(folder / "a.css", headers={"X-A": "b"}, cache_control="no-cache"))
    assert (response.status, response.body) == (200, b"body {}")
    assert response.headers == (
        ("X-A", "b"),
        ("Cache-Control", "no-cache"),
        ("ETag", '"ae1b981bc490a00-7"'),
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Content-Type", "text/css; charset=utf-8"),
    )
    assert response.from_file is None


def test_the_name_to_save_it_under_says_the_type(folder: Path) -> None:
    response = whole_file(asking(), Response.file(folder / "a.css", filename="a.pdf"))
    assert dict(response.headers)["Content-Type"] == "application/pdf"
    response = whole_file(asking(), Response.file(folder / "a.css", filename="a.pdf", content_type="text/x"))
    assert [value for name, value in response.headers if name == "Content-Type"] == ["text/x"]


def test_who_has_it_is_told_so(folder: Path) -> None:
    tag = '"ae1b981bc490a00-7"'
    response = whole_file(asking(if_none_match=tag), Response.file(folder / "a.css"))
    assert (response.status, response.body, dict(response.headers)["ETag"]) == (304, b"", tag)
    assert whole_file(asking("POST", if_none_match=tag), Response.file(folder / "a.css")).status == 200
    assert whole_file(asking(if_none_match='"x"'), Response.file(folder / "a.css")).status == 200


def test_as_the_body_of_another_status_it_has_its_type_alone(folder: Path) -> None:
    response = whole_file(asking(if_none_match="*"), Response.file(folder / "a.css", status=404))
    assert (response.status, response.body) == (404, b"body {}")
    assert response.headers == (("Content-Type", "text/css; charset=utf-8"),)


def test_what_is_no_file_raises_what_opening_it_does(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    for name, kind in (("none", FileNotFoundError), ("", IsADirectoryError)):
        with pytest.raises(kind):
            whole_file(asking(), Response.file(folder / name))
    for path in (folder / "fifo", Path("/dev/null")):
        with pytest.raises(OSError, match="No such device") as raised:
            whole_file(asking(), Response.file(path))
        assert raised.value.errno == errno.ENODEV


@pytest.mark.parametrize(
    "path",
    ["../out.txt", "a.css/../../out.txt", "/a.css", "", "./a.css", "x//a.css", ".hidden", "link", "a\0", "..\\out.txt"],
)
def test_no_path_leads_out_of_a_root(folder: Path, path: str) -> None:
    if path == "":
        assert name_beneath(str(folder), path, hidden=False) == str(folder)
        return
    with pytest.raises(FileNotFoundError):
        whole_file(asking(), Response.file(path, root=folder))


def test_a_path_beneath_a_root_is_found(folder: Path) -> None:
    assert whole_file(asking(), Response.file("a.css", root=folder)).body == b"body {}"
    assert name_beneath(str(folder), ".hidden", hidden=True) == str(folder / ".hidden")
