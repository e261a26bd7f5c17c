"""Both clients give the same replies to the same requests."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import msgspec
import pytest

from tinybeam import Router
from tinybeam.testing.client import Client
from tinybeam.testing.live import LiveClient
from tinybeam.testing.local import LocalClient

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]
PATHS = [
    "/",
    "/made",
    "/seen",
    "/text/a/b",
    "/bytes",
    "/none",
    "/not-modified",
    "/cookies",
    "/file",
    "/file/none",
    "/latin",
    "/teapot",
    "/missing",
    "/async/tag",
]

# Fields that only a server on a network has reason to send.
NETWORK_FIELDS = {"date", "connection", "server", "keep-alive"}


def comparable(client: Client, method: str, path: str, **extras: Any) -> tuple[int, set[tuple[str, str]], bytes]:
    reply = client.request(method, path, **extras)
    fields = {(name, value) for name, value in reply.headers.lines() if name not in NETWORK_FIELDS}
    return reply.status, fields, reply.body


@pytest.mark.parametrize("method", METHODS)
def test_every_method_and_path_gives_the_same_reply(method: str, client: LiveClient, local_client: LocalClient) -> None:
    for path in PATHS:
        assert comparable(client, method, path) == comparable(local_client, method, path), path


@pytest.mark.parametrize(
    "extras",
    [
        {"body": "naïve"},
        {"body": b"\x00\xff"},
        {"body": ""},
        {"json": {"a": [1, None]}},
        {"json": None},
        {"body": "<p>", "headers": {"content-type": "text/html"}},
        {"json": 1, "headers": {"Content-Type": "application/problem+json"}},
        {"query": {"a": 1, "tag": ["x", "y z"], "name": "Jürgen&"}},
        {"query": [("a", "1"), ("a", "2")]},
        {"query": {}},
        {"headers": [("X-Tag", "one"), ("X-Tag", " two ")]},
        {"headers": {"x-tag": "J\xfcrgen", "Cookie": "a=1"}},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_handler_sees_is_the_same(
    method: str, extras: dict[str, Any], client: LiveClient, local_client: LocalClient
) -> None:
    for path in ("/seen", "/seen?first=%20"):
        assert comparable(client, method, path, **extras) == comparable(local_client, method, path, **extras)


@pytest.mark.parametrize(
    "path", ["http://localhost/seen?a=b", "http://localhost", "/text/%2F%C3%BC", "/text/100%", "/text/é[1]#x"]
)
def test_unusual_targets_are_the_same(path: str, client: LiveClient, local_client: LocalClient) -> None:
    assert comparable(client, "GET", path) == comparable(local_client, "GET", path)


@pytest.mark.parametrize(("method", "target"), [("OPTIONS", "*"), ("CONNECT", "localhost:80")])
def test_targets_that_are_no_path_are_the_same(
    method: str, target: str, client: LiveClient, local_client: LocalClient
) -> None:
    assert comparable(client, method, target) == comparable(local_client, method, target)


def test_a_crash_is_a_500_and_the_next_request_is_served(either: Client) -> None:
    for path in ("/crash", "/exit", "/async-crash"):
        assert either.get(path).status == 500
        assert either.get("/").text == "yay"


def test_an_async_handler_is_run_in_one_event_loop_and_is_a_process(either: Client) -> None:
    for tag in ("a", "b"):
        assert either.get(f"/async/{tag}").json() == [tag, f"/async/{tag}"]
    assert either.get("/kill").status == 503
    assert either.get("/async/c").json() == ["c", "/async/c"]


def test_an_async_handler_runs_though_the_test_is_in_an_event_loop(local_client: LocalClient) -> None:
    async def test() -> object:
        return local_client.get("/async/a").json()

    assert asyncio.run(test()) == ["a", "/async/a"]


def test_the_event_loop_of_a_local_client_ends_with_it(tinybeam_app: Router) -> None:
    for end in (LocalClient.close, lambda client: None):
        client = LocalClient(tinybeam_app)
        client.close()  # there is none yet
        client.get("/async/a")
        assert client._loop is not None
        thread = client._loop._thread
        end(client)
        del client
        gc.collect()
        assert not thread.is_alive()


def test_a_local_client_that_was_closed_goes_on_with_another_event_loop(tinybeam_app: Router) -> None:
    client = LocalClient(tinybeam_app)
    client.get("/async/a")
    client.close()
    assert client.get("/async/b").json() == ["b", "/async/b"]
    client.close()


def test_a_reply_has_status_headers_text_json_and_body(either: Client) -> None:
    reply = either.post("/seen?a=1", json={"x": 1}, headers={"X-Tag": "t"})
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json()["headers"] == {
        "content-type": ["application/json"],
        "content-length": ["7"],
        "x-tag": ["t"],
        "cookie": [],
    }
    assert reply.text == reply.body.decode()
    assert int(reply.headers["content-length"]) == len(reply.body)


def test_json_may_be_read_as_a_type(either: Client) -> None:
    class Seen(msgspec.Struct):
        method: str
        peer: str

    assert either.get("/seen").json(Seen) == Seen("GET", "127.0.0.1")
    with pytest.raises(msgspec.ValidationError):
        either.get("/seen").json(list[int])


def test_text_is_read_in_the_charset_of_its_content_type(either: Client) -> None:
    assert either.get("/latin").text == "Jürgen"
    with pytest.raises(UnicodeDecodeError):
        _ = either.get("/bytes").text


def test_several_lines_of_a_field_are_kept_apart(either: Client) -> None:
    reply = either.get("/cookies")
    assert reply.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert reply.headers["x-name"] == "J\xfcrgen"


def test_every_method_has_its_shorthand(either: Client) -> None:
    for call in (either.get, either.post, either.put, either.patch, either.delete):
        assert call("/seen").json()["method"] == call.__name__.upper()
    assert either.request("purge", "/seen").json()["method"] == "PURGE"
    assert (either.head("/").body, either.head("/").headers["content-length"]) == (b"", "3")
    assert "GET" in either.options("/").headers["allow"]


def test_an_upload_of_nothing_says_so(either: Client) -> None:
    assert either.post("/seen").json()["headers"]["content-length"] == ["0"]
    assert either.get("/seen").json()["headers"]["content-length"] == []


@pytest.mark.parametrize(
    ("method", "path", "extras", "words"),
    [
        ("GET", "seen", {}, "must begin with a slash"),
        ("GET", "", {}, "must begin with a slash"),
        ("GET", "*", {}, "must begin with a slash"),
        ("GE T", "/", {}, "must be a token"),
        ("GET", "/", {"headers": {"X Y": "z"}}, "must be a token"),
        ("GET", "/", {"headers": {"X": "a\r\nY: b"}}, "characters that no value may have"),
        ("GET", "/", {"headers": {"X": "日"}}, "characters that no value may have"),
    ],
)
def test_what_no_message_can_say_is_refused(
    method: str, path: str, extras: dict[str, Any], words: str, either: Client
) -> None:
    with pytest.raises(ValueError, match=words):
        either.request(method, path, **extras)


def test_a_body_and_json_at_once_are_refused(either: Client) -> None:
    with pytest.raises(TypeError, match="not both"):
        either.post("/seen", body="x", json=1)


def test_the_host_is_the_clients_unless_a_request_names_one() -> None:
    router = Router()
    router.get("/")(lambda request: request.headers["host"])
    assert LocalClient(router).get("/").text == "localhost"
    assert LocalClient(router).get("/", headers={"host": "example.org"}).text == "example.org"
