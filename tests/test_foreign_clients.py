"""Clients of someone else: curl, requests and httpx drive a live server as users do."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import requests

from tests.conftest import PLAINLY
from tinybeam import Request, Response, Router
from tinybeam.server import RunningServer

Serving = Callable[..., RunningServer]

CURL = shutil.which("curl")
needs_curl = pytest.mark.skipif(CURL is None, reason="curl is not installed")

LARGE = bytes(range(256)) * 12_000  # 3 MiB


@pytest.fixture
def tinybeam_app() -> Router:
    router = Router()
    router.get("/", do="yay")

    @router.get("/users/{id:int}")
    def show(request: Request, id: int) -> dict[str, int]:
        return {"id": id}

    @router.post("/echo")
    def echo(request: Request) -> Response:
        return Response(request.body, content_type=request.headers.get("content-type") or "application/octet-stream")

    @router.route("/digest", methods=["POST", "PUT"])
    def digest(request: Request) -> object:
        return {"length": len(request.body), "sha256": hashlib.sha256(request.body).hexdigest()}

    @router.get("/large", blocking=True)
    def large(request: Request) -> bytes:
        return LARGE

    @router.delete("/users/{id:int}")
    def remove(request: Request, id: int) -> None:
        return None

    return router


LARGE_DIGEST = {"length": len(LARGE), "sha256": hashlib.sha256(LARGE).hexdigest()}


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


# requests


@pytest.fixture
def session(server: RunningServer) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # whoever runs the tests may have a proxy
        yield session


def test_requests_gets_and_posts_over_one_connection(server: RunningServer, session: requests.Session) -> None:
    for n in range(20):
        assert session.get(f"{server.url}/").text == "yay"
        assert session.get(f"{server.url}/users/{n}").json() == {"id": n}
        answer = session.post(f"{server.url}/echo", json={"n": n})
        assert (answer.json(), answer.headers["content-type"]) == ({"n": n}, "application/json")
    assert server.stats()["connections_accepted"] == 1


def test_requests_uploads_in_chunks(server: RunningServer, session: requests.Session) -> None:
    chunks = (LARGE[at : at + 7000] for at in range(0, len(LARGE), 7000))
    assert session.post(f"{server.url}/digest", data=chunks).json() == LARGE_DIGEST


def test_requests_moves_large_bodies_both_ways(server: RunningServer, session: requests.Session) -> None:
    assert session.put(f"{server.url}/digest", data=LARGE).json() == LARGE_DIGEST
    assert session.get(f"{server.url}/large").content == LARGE


def test_requests_understands_the_other_answers(server: RunningServer, session: requests.Session) -> None:
    head = session.head(f"{server.url}/large")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(LARGE)), b"")
    assert session.get(f"{server.url}/nothing").status_code == 404
    wrong = session.put(f"{server.url}/users/1")
    assert (wrong.status_code, set(wrong.headers["allow"].split(", "))) == (405, {"GET", "HEAD", "DELETE", "OPTIONS"})
    gone = session.delete(f"{server.url}/users/1")
    assert (gone.status_code, gone.content) == (204, b"")
    assert session.options(f"{server.url}/users/1").headers["allow"] == wrong.headers["allow"]
    assert session.get(f"{server.url}/").text == "yay"
    assert server.stats()["connections_accepted"] == 1


# httpx


@pytest.fixture
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, **PLAINLY) as client:
        yield client


def test_httpx_gets_and_posts_over_one_connection(server: RunningServer, http: httpx.Client) -> None:
    for n in range(20):
        assert http.get("/").text == "yay"
        assert http.get(f"/users/{n}").json() == {"id": n}
        assert http.post("/echo", content=f"body {n}").text == f"body {n}"
    assert server.stats()["connections_accepted"] == 1


def test_httpx_uploads_in_chunks(http: httpx.Client) -> None:
    chunks = (LARGE[at : at + 70_000] for at in range(0, len(LARGE), 70_000))
    assert http.post("/digest", content=chunks).json() == LARGE_DIGEST


def test_httpx_moves_large_bodies_both_ways(http: httpx.Client) -> None:
    assert http.put("/digest", content=LARGE).json() == LARGE_DIGEST
    assert http.get("/large").content == LARGE


def test_httpx_understands_the_other_answers(server: RunningServer, http: httpx.Client) -> None:
    head = http.head("/users/1")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "8", b"")
    assert [http.get("/nothing").status_code, http.put("/users/1").status_code] == [404, 405]
    assert (http.delete("/users/1").status_code, http.get("/").text) == (204, "yay")
    assert server.stats()["connections_accepted"] == 1


def test_httpx_speaks_over_a_unix_socket(tinybeam_app: Router, serving: Serving, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    running = serving(tinybeam_app, uds=path)
    with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://localhost", **PLAINLY) as client:
        assert client.get("/").text == "yay"
        assert client.post("/digest", content=LARGE).json() == LARGE_DIGEST
        assert client.get("/large").content == LARGE
    assert running.stats()["connections_accepted"] == 1


@needs_ipv6
def test_httpx_speaks_over_ipv6(tinybeam_app: Router, serving: Serving) -> None:
    running = serving(tinybeam_app, host="::1")
    with httpx.Client(base_url=running.url, **PLAINLY) as client:
        assert client.get("/users/6").json() == {"id": 6}


# curl


def curl(*arguments: str) -> str:
    """Runs curl without anybody's settings; what it wrote."""
    done = subprocess.run(
        [CURL or "curl", "--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", "60", *arguments],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


@needs_curl
def test_curl_gets_and_posts_over_one_connection(server: RunningServer) -> None:
    urls = [f"{server.url}/users/{n}" for n in range(10)]
    assert curl(f"{server.url}/", *urls) == "yay" + "".join(f'{{"id":{n}}}' for n in range(10))
    assert server.stats()["connections_accepted"] == 1
    assert curl("--data", "some text", f"{server.url}/echo") == "some text"


@needs_curl
def test_curl_waits_for_100_continue_before_a_large_body(
    server: RunningServer, large_file: Path, tmp_path: Path
) -> None:
    """Given this header it asks by itself, and would wait for a minute if nothing came."""
    log = tmp_path / "log"
    out = curl(
        *("--data-binary", f"@{large_file}", "--header", "Expect: 100-continue", "--expect100-timeout", "60"),
        *("--dump-header", str(log), f"{server.url}/digest"),
    )
    assert LARGE_DIGEST["sha256"] in out
    statuses = [line for line in log.read_text().splitlines() if line.startswith("HTTP/")]
    assert [status.split()[1] for status in statuses] == ["100", "200"]


@needs_curl
def test_curl_uploads_in_chunks(server: RunningServer, large_file: Path) -> None:
    out = curl("--header", "Transfer-Encoding: chunked", "--data-binary", f"@{large_file}", f"{server.url}/digest")
    assert LARGE_DIGEST["sha256"] in out


@needs_curl
def test_curl_downloads_a_large_body(server: RunningServer, tmp_path: Path) -> None:
    curl("--output", str(tmp_path / "got"), f"{server.url}/large")
    assert (tmp_path / "got").read_bytes() == LARGE


@needs_curl
def test_curl_understands_the_other_answers(server: RunningServer) -> None:
    def status(*arguments: str) -> str:
        return curl("--output", "/dev/null", "--write-out", "%{http_code}", *arguments)

    assert status("--head", f"{server.url}/large") == "200"
    assert status(f"{server.url}/nothing") == "404"
    assert status("--request", "PUT", f"{server.url}/users/1") == "405"
    assert status("--request", "DELETE", f"{server.url}/users/1") == "204"
    assert status("--http1.0", f"{server.url}/") == "200"


@needs_curl
def test_curl_speaks_over_a_unix_socket(
    tinybeam_app: Router, serving: Serving, tmp_path: Path, large_file: Path
) -> None:
    path = str(tmp_path / "socket")
    serving(tinybeam_app, uds=path)
    assert curl("--unix-socket", path, "http://localhost/users/3") == '{"id":3}'
    assert LARGE_DIGEST["sha256"] in curl("--unix-socket", path, "--data-binary", f"@{large_file}", "http://t/digest")


@needs_curl
@needs_ipv6
def test_curl_speaks_over_ipv6(tinybeam_app: Router, serving: Serving) -> None:
    running = serving(tinybeam_app, host="::1")
    assert curl("--globoff", f"{running.url}/users/6") == '{"id":6}'
