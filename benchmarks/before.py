"""This tree beside another one of the same project: `python benchmarks/before.py TREE [--only ...] [--rounds N]`.

Owns:  the other tree as a server, and the table of ratios.
Knows: that the other tree has its library compiled in its tinybeam/_native.
Never: one figure without the other's, taken right before or after it.
"""

import argparse
import sys
from pathlib import Path
from statistics import median

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.measure import Sample, run_once
from benchmarks.running import start
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import Server, project_python, tinybeam

# An editable install is found before sys.path, so its finder has to go.
_RUN = """
import runpy, sys
sys.meta_path[:] = [finder for finder in sys.meta_path if finder.__class__.__module__.startswith("_frozen")
                    or isinstance(finder, type)]
sys.path.insert(0, {tree!r})
sys.argv[:1] = ["tinybeam", "run", "benchmarks.apps.tinybeam_app:router", "--host", "127.0.0.1", "--port", "{port}"]
import tinybeam
assert tinybeam.__file__.startswith({tree!r}), tinybeam.__file__
runpy.run_module("tinybeam", run_name="__main__")
"""


def command_of(tree: Path, port: int) -> list[str]:
    """What starts the server of a tree; flags of `tinybeam run` may follow."""
    return [project_python(), "-c", _RUN.format(tree=str(tree), port=port)]


def server_of(tree: Path) -> Server:
    """Another tree as a server."""
    return Server("before", "the tree before", lambda port, _scratch: command_of(tree, port), lambda: "")


def main() -> None:
    """Measures each scenario in pairs; every other pair begins with the other tree."""
    parser = argparse.ArgumentParser(prog="before", description=__doc__.splitlines()[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument("--only", default="index,users,echo,pipelined,constant")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    ours = tinybeam()
    with start(ours) as now, start(server_of(options.tree.resolve())) as before:
        for scenario in [one for one in SCENARIOS if one.name in options.only.split(",")]:
            for running in (now, before):
                running.check(scenario)
                run_once(running, scenario, 1)
            pairs: list[tuple[Sample, Sample]] = []
            for turn in range(options.rounds):
                if turn % 2:
                    other = run_once(before, scenario, options.seconds)
                    own = run_once(now, scenario, options.seconds)
                else:
                    own = run_once(now, scenario, options.seconds)
                    other = run_once(before, scenario, options.seconds)
                pairs.append((own, other))
            ratios = sorted(own.cpu_us / other.cpu_us for own, other in pairs)
            rates = [own.requests_per_second / other.requests_per_second for own, other in pairs]
            low, high = ratios[0], ratios[-1]
            cpu = median(own.cpu_us for own, _ in pairs)
            print(
                f"{scenario.name:12} CPU/request now/before {median(ratios):.3f} ({low:.3f} to {high:.3f}), "
                f"{cpu:.2f} us now; requests/s {median(rates):.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
