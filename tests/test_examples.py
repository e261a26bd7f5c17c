"""Each example is served as its reader serves it, and asked what it is there to answer."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def hello(client: httpx.Client) -> None:
    """A constant, a typed parameter, and a body that comes back."""
    assert client.get("/").text == "yay"
    assert client.get("/users/42").json() == {"id": 42}
    assert client.get("/users/joe").status_code == 404
    assert client.post("/echo", content=b"\x00\xff").content == b"\x00\xff"


CHECKS: dict[str, Callable[[httpx.Client], None]] = {"hello": hello}


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of the example that the test's parameter names, which runs in an OS process of its own."""
    command = [sys.executable, "-m", "tinybeam", "run", f"{request.param}:router", "--port", "0"]
    with subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            url = re.search(r"http://\S+", line)
            assert url is not None, f"the example did not start; it said {line!r}"
            with httpx.Client(base_url=url[0], trust_env=False) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def test_every_example_is_checked_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == CHECKS.keys()


@pytest.mark.parametrize(("client", "check"), CHECKS.items(), indirect=["client"], ids=CHECKS.keys())
def test_the_example_does_what_it_shows(client: httpx.Client, check: Callable[[httpx.Client], None]) -> None:
    check(client)
