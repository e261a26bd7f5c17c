"""What is asked of the servers: one scenario is one kind of request under one kind of load.

Owns:  the list of scenarios and the figures that tinybeam aims at.
Knows: paths and expected bodies; the names of servers where a scenario is not for all of them.
Never: how a server is started or a figure is taken.
"""

from dataclasses import dataclass

ECHO_BODY = b"x" * 1024
SLOW_SECONDS = 0.1


@dataclass(frozen=True)
class Scenario:
    """One row group of the report.

    `only` names the servers it is for (None: all). `beside` says what each run is paired with: "nginx", or "itself" for
    the `/` of the same server. `slow_connections` sit in `/slow` while the load runs.
    """

    name: str
    title: str
    path: str
    answer: bytes
    goal: str
    script: str = "report.lua"
    method: str = "GET"
    slow_connections: int = 0
    only: frozenset[str] | None = None
    beside: str = "nginx"

    def suits(self, server: str) -> bool:
        """Tells whether the scenario is for this server."""
        if server == "nginx-echo":
            return self.name == "echo"
        return self.only is None or server in self.only


_OURS = frozenset({"tinybeam"})

INDEX = Scenario("index", "`GET /` from a handler", "/", b"yay", "CPU <= 1.2, later 1.0")

SCENARIOS = (
    INDEX,
    Scenario("users", "`GET /users/42`, a typed parameter", "/users/42", b"42", "CPU <= 1.2, later 1.1"),
    Scenario(
        "echo",
        "`POST /echo`, 1 KiB",
        "/echo",
        ECHO_BODY,
        "CPU <= 1.2",
        script="echo.lua",
        method="POST",
    ),
    Scenario("pipelined", "`GET /`, 16 pipelined", "/", b"yay", "CPU <= 0.5", script="pipeline.lua"),
    Scenario("constant", "constant route", "/constant", b"yay", "CPU <= 0.7", only=_OURS),
    Scenario(
        "constant-pipelined",
        "constant route, 16 pipelined",
        "/constant",
        b"yay",
        "CPU <= 0.2",
        script="pipeline.lua",
        only=_OURS,
    ),
    Scenario(
        "slow-64",
        "`GET /` while 64 connections sit in a handler that blocks for 100 ms",
        "/",
        b"yay",
        "p50 < 1 ms, slow answers >= 90 %",
        slow_connections=64,
    ),
    Scenario(
        "slow-256",
        "`GET /` while 256 connections sit in a handler that blocks for 100 ms",
        "/",
        b"yay",
        "p50 < 1 ms, slow answers >= 90 %",
        slow_connections=256,
    ),
    Scenario(
        "hiccup",
        "a fast route that stalls for 5 ms once in 5,000 requests, beside `/` of the same server",
        "/hiccup",
        b"yay",
        "the cost of `/`, CPU <= 1.1",
        only=_OURS,
        beside="itself",
    ),
)

IDLE_SCENARIOS = ("wakeups", "memory")
NAMES = (*(scenario.name for scenario in SCENARIOS), *IDLE_SCENARIOS)
