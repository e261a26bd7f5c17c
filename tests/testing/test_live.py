"""The live client's connection: kept, made anew when the server closed it, and no request is sent twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.client import BadStatusLine, RemoteDisconnected
from pathlib import Path

import pytest

from tinybeam import Router
from tinybeam.config import Config
from tinybeam.server import serve
from tinybeam.testing.live import LiveClient

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ScriptedServer:
    """Answers each connection with the octets that the test lists for it, one item per request, and then closes it."""

    def __init__(self, *conns: list[bytes]) -> None:
        self.conns = conns
        self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        # How many connections have been closed; lets a test wait for it.
        self.closed = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        with self.listener:
            for answers in self.conns:
                conn, _ = self.listener.accept()
                with conn:
                    for answer in answers:
                        while not conn.recv(65536).endswith(b"\r\n\r\n"):
                            pass
                        self.requests += 1
                        conn.sendall(answer)
                self.closed.release()


@pytest.fixture
def scripted(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    server = ScriptedServer(*request.param)
    yield server
    server.thread.join()


@pytest.mark.parametrize("scripted", [[[OK, OK, OK]]], indirect=True)
def test_one_connection_carries_all_requests(scripted: ScriptedServer) -> None:
    with LiveClient(scripted.url) as client:
        assert [client.get("/").text for _ in range(3)] == ["ok"] * 3


@pytest.mark.parametrize("scripted", [[[OK], [OK]]], indirect=True)
def test_a_connection_that_was_closed_while_idle_is_made_anew(scripted: ScriptedServer) -> None:
    with LiveClient(scripted.url) as client:
        assert client.get("/").text == "ok"
        scripted.closed.acquire()
        assert client.get("/").text == "ok"


@pytest.mark.parametrize(
    "scripted", [[[OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")], [OK]]], indirect=True
)
def test_a_reply_that_closes_is_followed_by_a_new_connection(scripted: ScriptedServer) -> None:
    with LiveClient(scripted.url) as client:
        assert client.get("/").text == "ok"
        assert client.get("/").text == "ok"


@pytest.mark.parametrize("scripted", [[[b""], [OK]]], indirect=True)
def test_a_request_without_a_reply_is_an_error_and_not_sent_again(scripted: ScriptedServer) -> None:
    with LiveClient(scripted.url) as client:
        with pytest.raises(RemoteDisconnected):
            client.get("/")
        assert scripted.requests == 1
        assert client.get("/").text == "ok"


@pytest.mark.parametrize("scripted", [[[b"not HTTP\r\n"], [OK]]], indirect=True)
def test_a_reply_that_is_not_http_is_an_error_and_its_connection_is_dropped(scripted: ScriptedServer) -> None:
    with LiveClient(scripted.url) as client:
        with pytest.raises(BadStatusLine):
            client.get("/")
        assert client.get("/").text == "ok"


@pytest.mark.parametrize("scripted", [[[OK + b"HTTP/1.1 200 OK\r\n"], [OK]]], indirect=True)
def test_octets_that_nobody_asked_for_are_not_the_next_reply(scripted: ScriptedServer) -> None:
    with LiveClient(scripted.url) as client:
        assert client.get("/").text == "ok"
        scripted.closed.acquire()
        assert client.get("/").text == "ok"


def test_a_refusal_that_comes_before_the_body_was_sent_is_read() -> None:
    """The server answers after the head and then reads no more; the body is larger than all socket buffers."""
    listener = socket.create_server(("127.0.0.1", 0))
    refusal = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def refuse() -> None:
        conn, _ = listener.accept()
        with conn:
            conn.recv(65536)
            conn.sendall(refusal)
            conn.shutdown(socket.SHUT_RDWR)

    thread = threading.Thread(target=refuse)
    thread.start()
    with listener, LiveClient(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
        try:
            assert client.post("/", body=bytes(64 << 20)).status == 413
        finally:
            thread.join()


def test_a_server_on_a_unix_socket_is_reached(tinybeam_app: Router, tmp_path: Path) -> None:
    running = serve(tinybeam_app, Config(uds=str(tmp_path / "s")))
    try:
        with LiveClient(running.url) as client:
            assert client.get("/").text == "yay"
            assert client.get("/seen").json()["peer"] is None
    finally:
        running.stop()


def test_nobody_who_listens_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with LiveClient(f"http://127.0.0.1:{port}") as client, pytest.raises(ConnectionRefusedError):
        client.get("/")
