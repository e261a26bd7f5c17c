"""What tests of files share: folders with some, apps that answer with them, and what the log says of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinybeam import Request, Router

if TYPE_CHECKING:
    import pytest

    from tests.server.conftest import Connect, Serving

    Way = Callable[..., Router]

LARGE = bytes(range(256)) * 8192  # 2 MiB: more than is kept in memory, and than a socket takes at once
SMALL = b"body { color: red }\n"
HUGE = 64 << 20
OLD_S = 1_500_000_000


def few_files(folder: Path) -> Path:
    """The folder with a small file and a huge one."""
    (folder / "a.css").write_bytes(b"0123456789")
    (folder / "huge.bin").touch()
    os.truncate(folder / "huge.bin", HUGE)
    return folder


def many_files(tmp_path: Path) -> Path:
    """A directory with files of every kind, all of them last changed long ago."""
    made = tmp_path / "www"
    (made / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "secret").write_text("not for you")
    (made / "a.css").write_bytes(SMALL)
    (made / "large.bin").write_bytes(LARGE)
    (made / "empty.txt").write_bytes(b"")
    (made / "sub" / "index.html").write_text("<p>index")
    (made / "sub" / "deep" / "ö.txt").write_text("deep")
    (made / ".hidden").write_text("hidden")
    (made / "a.css.gz").write_bytes(b"gzipped")
    os.mkfifo(made / "fifo")
    (made / "out").symlink_to(tmp_path / "secret")
    (made / "in").symlink_to("a.css")
    for path in made.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (OLD_S, OLD_S))
    return made


def app_of(result: Callable[[], object], **options: Any) -> Router:
    """A router that answers / with this, whatever the method."""
    router = Router()

    @router.route("/", "*", **options)
    def handler(request: Request) -> object:
        return result()

    return router


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Level and text of what the server has logged of files, from where the text speaks of them on."""
    found = [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "tinybeam.server"]
    return [(level, text[text.index("cannot send") :]) for level, text in found if "cannot send" in text]


def mounted(folder: Path, **options: Any) -> Router:
    """The folder beneath /assets."""
    router = Router()
    router.static("/assets", folder, **options)
    return router


def asking(way: Way, folder: Path, serving: Serving, connect: Connect) -> Callable[..., Any]:
    """Asks a server of the folder for a path, on a connection of its own."""
    apps: dict[Any, Any] = {}

    def get(path: str, extra: str = "", method: str = "GET", **options: Any) -> Any:
        key = tuple(sorted(options.items()))
        if key not in apps:
            apps[key] = serving(way(folder, **options))
        conn = connect(apps[key].url)
        conn.get("/assets" + path, method, extra)
        return conn.reply(method)

    return get
