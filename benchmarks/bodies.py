"""What streams and files cost: `.venv-bench/bin/python benchmarks/bodies.py [--rounds N] [--gib N] ...`.

Owns:  the CPU of a streamed MiB beside uvicorn's, and that of files beside nginx's and granian's; the other
       two are asked for theirs.
Knows: that figures count only beside those of the same moment, so servers take turns.
Never: a server's own compression, access log or more than one worker.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import downloads, event_streams
from benchmarks.measure import run_once
from benchmarks.running import Running, start
from benchmarks.scenarios import Scenario
from benchmarks.servers import Server, find_nginx, tinybeam

_MIB = Scenario("mib", "1 MiB in parts of 16 KiB", "/mib", b"x" * (1 << 20), ">= 3x uvicorn's MiB per CPU second")
_FILES = {"1k.bin": 1024, "100k.bin": 102_400}
_NGINX = """daemon off; worker_processes 1; pid {scratch}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=60s; open_file_cache_valid 1s;
    server {{ listen 127.0.0.1:{port}; location /files/ {{ alias {files}/; }} }}
}}
"""


def _uvicorn(port: int, scratch: Path, app: str = "app") -> list[str]:
    quiet = ["--no-access-log", "--log-level", "warning", "--port", str(port)]
    return [sys.executable, "-m", "uvicorn", *quiet, f"benchmarks.apps.bodies_asgi:{app}"]


def _nginx(port: int, scratch: Path) -> list[str]:
    conf = scratch / "nginx.conf"
    conf.write_text(_NGINX.format(scratch=scratch, port=port, files=os.environ["BENCH_FILES"]))
    return [find_nginx() or "nginx", "-c", str(conf)]


def _granian(port: int, scratch: Path) -> list[str]:
    files = ["--static-path-route", "/files", "--static-path-mount", os.environ["BENCH_FILES"]]
    common = ["--interface", "asgi", "--no-ws", "--host", "127.0.0.1", "--port", str(port), "--log-level", "critical"]
    return [sys.executable, "-m", "granian", *common, *files, "benchmarks.apps.bodies_asgi:app"]


def _pairs(
    own: Running, other: Running, scenario: Scenario, rounds: int, seconds: float, beside: Scenario | None = None
) -> str:
    ratios, rates = [], []
    of_other = beside or scenario
    for running, one in ((own, scenario), (other, of_other)):
        run_once(running, one, 1)
    for _ in range(rounds):
        ours, theirs = run_once(own, scenario, seconds), run_once(other, of_other, seconds)
        ratios.append(theirs.cpu_us / ours.cpu_us)
        rates.append(ours.requests_per_second / theirs.requests_per_second)
    return (
        f"work per CPU second {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}),"
        f" requests per second {median(rates):.2f} ({min(rates):.2f} to {max(rates):.2f})"
    )


def main() -> None:
    """Prints the ratios, ours over theirs: more is better."""
    parser = argparse.ArgumentParser(prog="bodies", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--events", type=int, default=10_000, help="streams of events; 0: none")
    parser.add_argument("--gib", type=float, default=10, help="of a download; 0: none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as files:
        os.environ["BENCH_FILES"] = files
        Path(files).chmod(0o755)  # nginx's worker is another user
        for name, size in _FILES.items():
            Path(files, name).write_bytes(b"x" * size)
        with start(tinybeam("bodies_app")) as own:
            for title, app in (("uvicorn, by hand", "app"), ("uvicorn + Starlette, a generator", "starlette")):
                command = lambda port, scratch, app=app: _uvicorn(port, scratch, app)  # noqa: E731
                with start(Server("uvicorn", title, command, lambda: "")) as other:
                    other.check(_MIB)
                    own.check(_MIB)
                    print(f"streamed MiB / {title}: {_pairs(own, other, _MIB, options.rounds, options.seconds)}")
            for peer, command in (("nginx", _nginx), ("granian", _granian)):
                with start(Server(peer, peer, command, lambda: "")) as other:
                    for name, size in _FILES.items():
                        scenario = Scenario(name, f"a file of {size} octets", f"/files/{name}", b"x" * size, ">= 0.9")
                        other.check(scenario)
                        own.check(scenario)
                        print(f"{name} / {peer}: {_pairs(own, other, scenario, options.rounds, options.seconds)}")
            for name, size in _FILES.items():
                static = Scenario(name, f"a file of {size} octets", f"/files/{name}", b"x" * size, "")
                for way, title in (("path", "a Path from a handler"), ("handled", "Response.file with a root")):
                    scenario = Scenario(name, title, f"/{way}/{name}", b"x" * size, "")
                    own.check(scenario)
                    ratio = _pairs(own, own, scenario, options.rounds, options.seconds, static)
                    print(f"{name}, {title} / router.static: {ratio}")
    if options.gib:
        downloads.report(options.gib)
    if options.events:
        event_streams.report(options.events, options.seconds * 3)


if __name__ == "__main__":
    main()
