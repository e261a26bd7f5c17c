"""How each server is started, and whether it can be.

Owns:  the command line of every server, its version, and nginx's configuration.
Knows: one port on the loopback; one worker each, no access log.
Never: a running program: see running.py.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.scenarios import ECHO_BODY

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS_MAX = 16384


@dataclass(frozen=True)
class Server:
    """A server of the comparison. `command(port, scratch)` may write files into the scratch folder."""

    name: str
    title: str
    command: Callable[[int, Path], list[str]]
    version: Callable[[], str | None]


def project_python() -> str:
    """The Python that tinybeam is taken from: the project's own `.venv`, or else the one that runs this."""
    own = ROOT / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def find_nginx() -> str | None:
    """The path of nginx, which Debian keeps where a user's PATH does not look."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _nginx_says(option: str) -> str:
    nginx = find_nginx()
    return subprocess.run([nginx, option], capture_output=True, text=True, timeout=10).stderr if nginx else ""


def _nginx_version() -> str | None:
    found = re.search(r"nginx/(\S+)", _nginx_says("-v"))
    return found[1] if found else None


def _echo_module() -> Path | None:
    found = re.search(r"--modules-path=(\S+)", _nginx_says("-V"))
    module = Path(found[1] if found else "/usr/lib/nginx/modules") / "ngx_http_echo_module.so"
    return module if module.exists() else None


def _nginx(load_module: str, echo: str) -> Callable[[int, Path], list[str]]:
    def command(port: int, scratch: Path) -> list[str]:
        text = (ROOT / "benchmarks" / "nginx.conf.template").read_text()
        names = {
            "LOAD_MODULE": load_module,
            "ECHO": echo,
            "PORT": str(port),
            "SCRATCH": str(scratch),
            "CONNECTIONS": str(CONNECTIONS_MAX),
            "OPEN_FILES": str(CONNECTIONS_MAX + 64),
        }
        for name, value in names.items():
            text = text.replace(f"@{name}@", value)
        (scratch / "nginx.conf").write_text(text)
        return [find_nginx() or "nginx", "-c", str(scratch / "nginx.conf"), "-e", "stderr"]

    return command


def _python(*arguments: str) -> Callable[[int, Path], list[str]]:
    return lambda port, scratch: [sys.executable, *(a.replace("@PORT@", str(port)) for a in arguments)]


def _granian(interface: str, *more: str) -> Callable[[int, Path], list[str]]:
    # Granian accepts no more connections than its "backpressure"; the default of 1,024 would stop the idle rows.
    limits = ["--backlog", "2048", "--backpressure", str(CONNECTIONS_MAX), *more]
    app = f"benchmarks.apps.{interface}_app:app"
    common = ["--interface", interface, "--workers", "1", "--no-access-log", "--log-level", "warning"]
    return _python("-m", "granian", *common, *limits, "--host", "127.0.0.1", "--port", "@PORT@", app)


def _uvicorn(app: str) -> Callable[[int, Path], list[str]]:
    quiet = ["--workers", "1", "--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "3600"]
    return _python("-m", "uvicorn", *quiet, "--host", "127.0.0.1", "--port", "@PORT@", app)


def _installed(*names: str) -> Callable[[], str | None]:
    def version() -> str | None:
        try:
            return " + ".join(importlib.metadata.version(name) for name in names)
        except importlib.metadata.PackageNotFoundError:
            return None

    return version


def _tinybeam_version() -> str | None:
    probe = "import tinybeam, importlib.metadata as m; print(m.version('tinybeam'))"
    done = subprocess.run([project_python(), "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=30)
    return done.stdout.strip() if done.returncode == 0 else None


def tinybeam(app: str = "tinybeam_app") -> Server:
    """Tinybeam with its defaults, and one of the apps here."""

    def command(port: int, scratch: Path) -> list[str]:
        run = ["-m", "tinybeam", "run", f"benchmarks.apps.{app}:router"]
        return [project_python(), *run, "--host", "127.0.0.1", "--port", str(port)]

    return Server("tinybeam", "tinybeam", command, _tinybeam_version)


def catalogue() -> list[Server]:
    """Every server of the comparison, the baseline first; whether one is installed is told by its `version()`."""
    embedded = "benchmarks.apps.embedded"
    module = _echo_module()
    return [
        Server("nginx", "nginx `return 200`", _nginx("", f'return 200 "{ECHO_BODY.decode()}";'), _nginx_version),
        tinybeam(),
        Server(
            "nginx-echo",
            "nginx with its echo module",
            _nginx(f"load_module {module};", "echo_read_request_body; echo_request_body;"),
            lambda: _nginx_version() if module else None,
        ),
        Server(
            "fastpysgi", "fastpysgi (WSGI)", _python("-m", embedded, "fastpysgi", "@PORT@"), _installed("fastpysgi")
        ),
        Server("bjoern", "bjoern (WSGI)", _python("-m", embedded, "bjoern", "@PORT@"), _installed("bjoern")),
        Server("fastwsgi", "fastwsgi (WSGI)", _python("-m", embedded, "fastwsgi", "@PORT@"), _installed("fastwsgi")),
        # 512 threads is what granian chooses by itself for WSGI with its default backpressure.
        Server("granian-wsgi", "granian (WSGI)", _granian("wsgi", "--blocking-threads", "512"), _installed("granian")),
        Server("granian-rsgi", "granian (RSGI)", _granian("rsgi"), _installed("granian")),
        Server("uvicorn", "uvicorn (ASGI)", _uvicorn("benchmarks.apps.asgi_app:app"), _installed("uvicorn")),
        Server(
            "uvicorn-starlette",
            "uvicorn + Starlette",
            _uvicorn("benchmarks.apps.starlette_app:app"),
            _installed("uvicorn", "starlette"),
        ),
    ]
