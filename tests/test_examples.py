"""Each example is served as its reader serves it, and asked what it is there to answer."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import PLAINLY

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def hello(client: httpx.Client) -> None:
    """A constant, a typed parameter, and a body that comes back."""
    assert client.get("/").text == "yay"
    assert client.get("/users/42").json() == {"id": 42}
    assert client.get("/users/joe").status_code == 404
    assert client.post("/echo", content=b"\x00\xff").content == b"\x00\xff"


def counter(client: httpx.Client) -> None:
    """Counts that outlive their requests."""
    assert client.post("/counters/apples").json() == {"apples": 1}
    assert client.post("/counters/apples").json() == {"apples": 2}
    assert client.get("/counters").json() == {"apples": 2}


def key_value(client: httpx.Client) -> None:
    """Values that are kept for a while."""
    assert client.get("/keys/a").status_code == 404
    assert client.put("/keys/a", content=b"1").status_code == 204
    assert client.get("/keys/a").content == b"1"
    client.put("/keys/b?seconds=0", content=b"2")
    assert client.get("/keys/b").status_code == 404
    client.delete("/keys/a")
    assert client.get("/keys/a").status_code == 404


def bank(client: httpx.Client) -> None:
    """A transfer that crashes half-way moves no money, and the next one finds the bank open."""
    assert client.post("/transfers/ada/bob/30").json() == {"ada": 70, "bob": 130}
    for _ in range(20):
        assert client.post("/transfers/ada/nobody/50").status_code == 409
        while (answer := client.get("/accounts")).status_code == 500:
            pass  # it is being started again
        assert answer.json() == {"ada": 70, "bob": 130}


def plugs(client: httpx.Client) -> None:
    """Every answer has an identity, and some are for those who know the token."""
    for path, status in (("/", 200), ("/none", 404), ("/admin/users/7", 401)):
        answer = client.get(path)
        assert answer.status_code == status
        assert len(answer.headers["x-request-id"]) == 16
        assert answer.headers["vary"] == "Accept-Encoding"
    answer = client.get("/admin/users/7", headers={"Authorization": "Bearer open-sesame"})
    assert answer.json() == {"id": 7, "for": "admin"}
    assert client.get("/admin/users/7", headers={"Authorization": b"Bearer \xe9"}).status_code == 401


def stream(client: httpx.Client) -> None:
    """A body made line by line, news for whoever listens, and files."""
    assert client.get("/numbers/3").text == "0\n1\n2\n"
    heard = threading.Event()

    def publish() -> None:
        while not heard.is_set():  # whoever is not listening yet misses what is said
            httpx.post(client.base_url.join("/news"), content=b"hello", **PLAINLY)

    thread = threading.Thread(target=publish)
    with client.stream("GET", "/news") as listening:
        thread.start()
        assert next(listening.iter_lines()) == "data: hello"
        heard.set()
        thread.join()
    assert client.get("/assets/none").status_code == 404


def upload(client: httpx.Client) -> None:
    """A body that is larger than what the server holds of it."""
    body = b"0123456789abcdef" * 1_000_000
    assert client.post("/checksums", content=body).text == hashlib.sha256(body).hexdigest()
    saved = EXAMPLES / "backup.tar"
    try:
        assert client.put("/backup", content=body).json() == {"octets": len(body)}
        assert saved.read_bytes() == body
    finally:
        saved.unlink(missing_ok=True)


def reports(client: httpx.Client) -> None:
    """A file, and no way to another."""
    assert client.get("/report").text == "month,sold\nJanuary,7\n"
    saved = client.get("/reports/2026.csv", headers={"Range": "bytes=0-4"})
    assert (saved.status_code, saved.text) == (206, "month")
    assert saved.headers["content-disposition"] == 'attachment; filename="2026.csv"'
    assert client.get("/reports/..%2freports.py").status_code == 404


def rate_limit(client: httpx.Client) -> None:
    """Each client has a bucket of its own."""
    ada = [client.get("/limited", headers={"X-Client": "ada"}).status_code for _ in range(50)]
    assert ada[:10] == [200] * 10
    assert 429 in ada
    assert client.get("/limited", headers={"X-Client": "bob"}).text == "yay"


def news(client: httpx.Client) -> None:
    """Many wait, and all are told."""
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(client.get, "/news/weather", timeout=30) for _ in range(4)]
        told = 0
        while told < len(waiting):
            told += client.post("/news/weather", content="sunny").json()["told"]
        assert {answer.result().text for answer in waiting} == {"sunny"}


def workers(client: httpx.Client) -> None:
    """What an owner is given stays with their worker."""
    for owner in ("ada", "bob", "cid", "dan", "eve"):
        assert client.post(f"/notes/{owner}", content=f"of {owner}").status_code == 204
    assert client.get("/notes/cid").json() == ["of cid"]


CHECKS: dict[str, Callable[[httpx.Client], None]] = {
    "bank": bank,
    "counter": counter,
    "hello": hello,
    "key_value": key_value,
    "news": news,
    "plugs": plugs,
    "rate_limit": rate_limit,
    "reports": reports,
    "stream": stream,
    "upload": upload,
    "workers": workers,
}


@pytest.fixture
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of the example that the test's parameter names, which runs in an OS process of its own."""
    command = [sys.executable, "-m", "tinybeam", "run", f"{request.param}:router", "--port", "0"]
    env = {**os.environ, "BANK_LEDGER": str(tmp_path / "ledger.json")}
    with subprocess.Popen(command, cwd=EXAMPLES, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            url = re.search(r"http://\S+", line)
            assert url is not None, f"the example did not start; it said {line!r}"
            with httpx.Client(base_url=url[0], **PLAINLY) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def test_every_example_is_checked_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == CHECKS.keys()


@pytest.mark.parametrize(("client", "check"), CHECKS.items(), indirect=["client"], ids=CHECKS.keys())
def test_the_example_does_what_it_shows(client: httpx.Client, check: Callable[[httpx.Client], None]) -> None:
    check(client)
