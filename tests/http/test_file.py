"""A file as a body: what may be said of it, what it is saved as, and which failure is which answer."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.http import InParts, Response, answer, as_response, file_fields, is_missing, refusal_of
from tinybeam.http.fields import is_value
from tinybeam.http.file import CONTENT_TYPE_BYTES_MAX, File, attachment


def file_of(response: Response) -> File:
    assert response.from_file is not None
    return response.from_file


def test_a_file_is_named_and_not_opened() -> None:
    response = Response.file("/no/such/file.txt", headers={"X-A": "b"}, cache_control="no-cache")
    assert file_of(response) == ("/no/such/file.txt", None, None, False)
    assert (response.status, response.body) == (200, b"")
    assert response.headers == (("X-A", "b"), ("Cache-Control", "no-cache"))
    assert repr(response) == "<Response 200, the file /no/such/file.txt>"


@pytest.mark.parametrize("path", ["a/b", Path("a/b"), os.fsencode("a/b")])
def test_whatever_names_a_file_is_its_path(path: Any) -> None:
    assert file_of(Response.file(path)).path == "a/b"
    assert file_of(Response.file(path, root="/srv")).url_path == "/a/b"
    assert str(file_of(Response.file(path, root=Path("/srv")))) == "/srv/a/b"


def test_a_path_beneath_a_root_is_one_of_a_url() -> None:
    for path, url_path in (("a b/ö?", "/a%20b/%C3%B6%3F"), ("../x", "/../x"), ("/etc", "//etc"), ("\0", "/%00")):
        assert file_of(Response.file(path, root="/srv")).url_path == url_path
    assert file_of(Response.file(os.fsdecode(b"\xff"), root="/srv")).url_path == "/%FF"


@pytest.mark.parametrize("path", [None, 7, 1.5, ["a"]])
def test_what_names_no_file_is_a_type_error(path: Any) -> None:
    with pytest.raises(TypeError, match=r"expected str, bytes or os.PathLike object"):
        Response.file(path)


def test_a_nul_is_in_no_path() -> None:
    with pytest.raises(ValueError, match="NUL"):
        Response.file("a\0b")
    with pytest.raises(ValueError, match="NUL"):
        Response.file("a", root="/srv\0")


@pytest.mark.parametrize("status", [204, 205, 206, 304])
def test_a_status_that_a_file_cannot_have_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match=f"a file is no answer with the status {status}"):
        Response.file("a", status=status)


@pytest.mark.parametrize("name", ["ETag", "etag", "Last-Modified", "Accept-Ranges", "Content-Range"])
def test_what_is_said_of_a_file_by_itself_is_not_the_handlers_to_say(name: str) -> None:
    with pytest.raises(ValueError, match=f"header {name}: this is said of the file by itself"):
        Response.file("a", headers={name: "x"})
    response = Response.file("a")
    for change in (response.add_header, response.set_header):
        with pytest.raises(ValueError, match=name):
            change(name, "x")
    Response("a").add_header(name, "x")


def test_a_file_is_not_replaced_in_part() -> None:
    response = Response.file("a", headers={"X-A": "b"})
    with pytest.raises(ValueError, match="there is no body to be replaced"):
        response.replace_body(b"x")
    other = response.copy()
    other.set_header("X-A", "c")
    assert (response.header("x-a"), other.header("x-a"), file_of(other)) == ("b", "c", file_of(response))


def test_a_content_type_is_said_once() -> None:
    assert Response.file("a", headers={"content-type": "text/x"}).headers == (("content-type", "text/x"),)
    both = Response.file("a", headers={"content-type": "text/x"}, content_type="text/y")
    assert both.headers == (("Content-Type", "text/y"),)


@pytest.mark.parametrize("content_type", ["", "x" * (CONTENT_TYPE_BYTES_MAX + 1)])
def test_a_content_type_has_a_length(content_type: str) -> None:
    with pytest.raises(ValueError, match="Content-Type has 1 to 120 octets"):
        Response.file("a", content_type=content_type)
    Response.file("a", content_type="x" * CONTENT_TYPE_BYTES_MAX)


def test_fields_are_sorted_by_what_they_are_about() -> None:
    response = Response.file("a", headers=[("Expires", "0"), ("Set-Cookie", "a"), ("Set-Cookie", "b")])
    response.add_header("Content-Type", "text/x")
    response.add_header("cache-control", "no-cache")
    assert file_fields(response.headers) == (
        b"Set-Cookie: a\r\nSet-Cookie: b\r\n",
        b"Expires: 0\r\ncache-control: no-cache\r\n",
        "text/x",
    )
    assert file_fields([]) == (b"", b"", None)


@pytest.mark.parametrize("result", [Path("a"), (200, Path("a")), (200, {}, Path("a")), Response.file("a")])
def test_a_path_as_a_result_is_that_file(result: object) -> None:
    with pytest.raises(InParts) as raised:
        answer(7, result)
    assert file_of(raised.value.response).path == "a"
    assert file_of(as_response(result)).path == "a"


def test_a_tuple_says_what_else_the_answer_has() -> None:
    response = as_response((404, {"X-A": "b"}, Path("404.html")))
    assert (response.status, response.headers) == (404, (("X-A", "b"),))


@pytest.mark.parametrize(
    ("filename", "value"),
    [
        ("a.txt", 'filename="a.txt"'),
        ("two words.txt", 'filename="two words.txt"'),
        ('a"b.txt', "filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("50%.txt", "filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"),
        ("naïve.txt", "filename=\"naive.txt\"; filename*=UTF-8''na%C3%AFve.txt"),
        ("日本.txt", "filename=\"__.txt\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt"),
        ("€ rates", "filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates"),
        ("a/b\\c.txt", 'filename="a_b_c.txt"'),
        ("../../etc/passwd", 'filename=".._.._etc_passwd"'),
        ("a\r\nX: y", 'filename="a__X: y"'),
        ("photo\u202egpj.exe", 'filename="photo_gpj.exe"'),
        ("lone \ud800", 'filename="lone _"'),
        ("a;b=c", 'filename="a;b=c"'),
    ],
)
def test_a_client_is_told_under_which_name_to_save_the_file(filename: str, value: str) -> None:
    assert attachment(filename) == f"attachment; {value}"
    assert ("Content-Disposition", f"attachment; {value}") in Response.file("a", filename=filename).headers


@pytest.mark.parametrize("filename", ["", " ", ".", "..", "/", "\0"])
def test_a_name_to_save_it_under_names_something(filename: str) -> None:
    with pytest.raises(ValueError, match="names nothing"):
        Response.file("a", filename=filename)


def test_a_name_to_save_it_under_is_text() -> None:
    with pytest.raises(TypeError, match="filename is a str, not PosixPath"):
        Response.file("a", filename=Path("b"))  # type: ignore[arg-type]


@given(st.text(min_size=1).filter(lambda name: name.isprintable() and name.strip(" ._") and not set(name) & set("/\\")))
def test_every_name_comes_back_as_it_was(filename: str) -> None:
    value = attachment(filename)
    assert is_value(value)
    assert value.isascii()
    plain, _, extended = value.partition("; filename*=UTF-8''")
    assert plain.startswith('attachment; filename="')
    assert plain.count('"') == 2
    assert plain.endswith('"')
    if extended:
        assert unquote(extended, errors="strict") == filename
    else:
        assert plain == f'attachment; filename="{filename}"'


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EXDEV, errno.EISDIR, errno.ENODEV), 404),
        ((errno.EACCES, errno.EPERM), 403),
        ((errno.EMFILE, errno.ENFILE), 503),
    ],
)
def test_a_file_that_cannot_be_opened_is_an_answer(error: tuple[int, ...], status: int) -> None:
    for number in error:
        told = refusal_of(OSError(number, "x"))
        assert told is not None
        assert told.status == status
        assert is_missing(OSError(number, "x")) == (status == 404 and number not in (errno.EISDIR, errno.ENODEV))
    assert told is not None
    assert told.headers == ((("Retry-After", "1"),) if status == 503 else ())


def test_a_broken_disk_is_no_answer() -> None:
    assert refusal_of(OSError(errno.EIO, "x")) is None
