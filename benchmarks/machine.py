"""Where and when a run was made, so that its figures can be read later.

Owns:  the facts of machine, kernel, interpreter and date.
Knows: /proc/cpuinfo and the standard library's platform module.
Never: a host name, a user name or a path.
"""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def facts() -> dict[str, str]:
    """Facts by title, in the order they are printed."""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    load = ", ".join(f"{figure:.2f}" for figure in os.getloadavg())
    return {
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "Kernel": f"{platform.system()} {platform.release()} ({system})",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Load average at the start": load,
    }
