"""The answers with files of the portable engine and of the local client: they have to be the native engine's, whatever
is asked."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import RawConn, RawReply
from tinybeam import Request, Response, Router
from tinybeam.config import Config
from tinybeam.server import serve
from tinybeam.testing.local import LocalClient

CASES: Final = min(int(os.environ.get("TINYBEAM_ORACLE_CASES", "3000")), 20_000)
SEED: Final = int(os.environ.get("TINYBEAM_ORACLE_SEED", "0"))
OLD_S: Final = 1_500_000_000
SIZES: Final = {"a.css": 20, "b.txt": 1000, "empty.bin": 0, "large.bin": 200_000, "sub/index.html": 7}
BOUNDARY: Final = re.compile(r"boundary=([0-9a-f]{16})")
NAMES: Final = (
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "If-Range",
    "Range",
    "Accept-Encoding",
)
PATHS: Final = (
    *("a.css", "b.txt", "empty.bin", "large.bin", "sub/index.html", "sub", "sub/", "", "none", "a.css/", ".hidden"),
    *(
        "in",
        "out",
        "absolute",
        "away/a.css",
        "loop",
        "fifo",
        "a%2ecss",
        "%61.css",
        "sub%2findex.html",
        "..",
        "%2e%2e/x",
    ),
    *("b.txt.gz", "sub/../a.css", "a%5cb", "a%00", "y" * 300, "sub/?a=b", "sub?a=b", "a.css?Range"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories, links and coded forms, some of them older than their files."""
    made = tmp_path_factory.mktemp("oracle") / "www"
    (made / "sub").mkdir(parents=True)
    for name, size in SIZES.items():
        (made / name).write_bytes(random.Random(name).randbytes(size))
    for suffix in (".br", ".zst", ".gz"):
        (made / f"b.txt{suffix}").write_bytes(b"coded " + suffix.encode())
    (made / "a.css.gz").write_bytes(b"older")
    (made / ".hidden").write_bytes(b"hidden")
    (made.parent / "secret").write_bytes(b"secret")
    os.mkfifo(made / "fifo")
    for name, target in (("in", "sub/../a.css"), ("out", "../secret"), ("away", "."), ("loop", "loop")):
        (made / name).symlink_to(target)
    (made / "absolute").symlink_to(made / "a.css")
    for path in made.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (OLD_S, OLD_S))
    os.utime(made / "a.css.gz", (OLD_S - 1, OLD_S - 1))
    return made


def app(folder: Path) -> Router:
    """The folder in every way that an application has."""
    router = Router()
    router.static("/plain", folder, cache_control="max-age=60")
    router.static("/coded", folder, precompressed=True, index=None, headers={"X-A": "b"})
    router.static("/shown", folder, hidden=True)
    router.static("/", folder, missing="next")

    @router.route("/file/{name:path}", "*")
    def file(request: Request, name: str) -> Response:
        return Response.file(name, root=folder, precompressed=True, filename="saved.bin", cache_control="no-cache")

    @router.route("/made", "*")
    def made(request: Request) -> Response:
        return Response.file(folder / "b.txt", status=404, precompressed=True)

    return router


@pytest.fixture(scope="module")
def both(folder: Path) -> Iterator[tuple[RawConn, RawConn]]:
    running = [serve(app(folder), Config(port=0, engine=engine)) for engine in ("native", "portable")]
    native, portable = (RawConn(one.url) for one in running)
    yield native, portable
    for conn in (native, portable):
        conn.close()
    for one in running:
        one.stop()


class Asking:
    """Makes up requests for files, odd ones among them."""

    def __init__(self, seed: int, etags: list[str]) -> None:
        self._random = random.Random(seed)
        self._etags = etags

    def request(self) -> tuple[str, str, str]:
        """The method, the path, and field lines."""
        one = self._random
        method = one.choice(("GET", "GET", "GET", "HEAD", "POST"))
        prefix = one.choice(("/plain", "/coded", "/shown", "", "/file"))
        path = "/made" if one.random() < 0.05 else f"{prefix}/{one.choice(PATHS)}"
        names = one.choices(NAMES, k=one.choice((0, 1, 1, 2, 3)))
        return method, path, "".join(f"{name}: {self._value(name)}\r\n" for name in names)

    def _value(self, name: str) -> str:
        one = self._random
        if name == "Range":
            return self._range()
        if name == "Accept-Encoding":
            codings = one.choices(("br", "gzip", "zstd", "identity", "*", "x-gzip", "deflate"), k=one.randint(0, 3))
            return ", ".join(
                coding + one.choice(("", ";q=0", ";q=0.5", "; Q=1", ";q=2", ";q=0.001")) for coding in codings
            )
        if name.endswith("Since") or (name == "If-Range" and one.random() < 0.5):
            return self._date()
        tags = [
            one.choice((*self._etags, "*", '"x"', "W/" + one.choice(self._etags), "bad"))
            for _ in range(one.randint(1, 3))
        ]
        return one.choice((", ", ",", " ,, ", " ")).join(tags)

    def _range(self) -> str:
        one = self._random
        numbers = (0, 1, 5, 19, 20, 999, 1000, 199_999, 200_000, 10**18, 10**25)

        def spec() -> str:
            first, last = sorted(one.choices(numbers, k=2))
            shapes = (
                f"{first}-{last}",
                f"{first}-",
                f"-{first}",
                f"{last}-{first}",
                "-",
                "a-b",
                f" {first}-{last} ",
                "",
            )
            return one.choices(shapes, weights=(8, 4, 4, 1, 1, 1, 2, 2))[0]

        unit = one.choices(("bytes=", "Bytes=", "lines=", "bytes"), weights=(12, 1, 1, 1))[0]
        return unit + ",".join(spec() for _ in range(one.choice((1, 1, 1, 2, 3, 17))))

    def _date(self) -> str:
        one = self._random
        second = OLD_S + one.choice((-86400, -1, 0, 1, 86400))
        known = formatdate(second, usegmt=True)
        return one.choice(
            (known, known, "Friday, 14-Jul-17 02:40:00 GMT", "Fri Jul 14 02:40:00 2017", known[:-4], "soon")
        )


def comparable(reply: RawReply) -> tuple[Any, ...]:
    """Without what may differ: the date, and the number that the parts are told by."""
    headers = {name: value for name, value in reply.headers.items() if name != "date"}
    found = BOUNDARY.search(headers.get("content-type", ""))
    body = reply.body
    if found is not None:
        headers["content-type"] = BOUNDARY.sub("boundary=", headers["content-type"])
        body = body.replace(found[1].encode(), b"-")
    return reply.line, headers, body


def etags_of(conn: RawConn) -> list[str]:
    found = []
    for name in ("a.css", "b.txt", "large.bin"):
        conn.get(f"/plain/{name}")
        found.append(conn.reply().headers["etag"])
    return found


def test_the_portable_engine_answers_with_files_as_the_native_one_does(both: tuple[RawConn, RawConn]) -> None:
    etags = etags_of(both[0])
    statuses = set()
    for seed in range(SEED, SEED + CASES):
        method, path, fields = Asking(seed, etags).request()
        replies = []
        for conn in both:
            conn.get(path, method, fields)
            replies.append(conn.reply(method))
        native, portable = (comparable(reply) for reply in replies)
        assert portable == native, f"seed {seed}: {method} {path}\n{fields}"
        statuses.add(replies[0].status)
    assert statuses >= {200, 206, 301, 304, 404, 405, 412, 416}


def test_the_local_client_answers_with_files_as_a_server_does(both: tuple[RawConn, RawConn], folder: Path) -> None:
    native = both[0]
    etags = etags_of(native)
    local = LocalClient(app(folder))
    for seed in range(SEED, SEED + CASES):
        method, path, fields = Asking(seed, etags).request()
        native.get(path, method, fields)
        line, headers, body = comparable(native.reply(method))
        pairs = [(name, value) for name, _, value in (one.partition(": ") for one in fields.split("\r\n")[:-1])]
        reply = local.request(method, path, headers=pairs)
        ours = dict(reply.headers.lines())
        found = comparable(RawReply(reply.status, "", ours, reply.body))
        expected = {name: value for name, value in headers.items() if name != "server"}
        assert (reply.status, *found[1:]) == (int(line.split()[1]), expected, body), (
            f"seed {seed}: {method} {path}\n{fields}"
        )
    local.close()
