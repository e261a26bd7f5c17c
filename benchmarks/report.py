"""The tables: one per scenario, one of all the CPU ratios, one of the idle servers.

Owns:  the Markdown of the report, which is also what the terminal shows.
Knows: rows of figures.
Never: a figure of its own.
"""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.measure import IdleRow, Row
from benchmarks.scenarios import SCENARIOS, Scenario

_NOTES = """\
Every server runs as one worker without an access log. CPU is user + system time of the server's whole tree of OS
processes by answered request. "/ nginx" is the median over the pairs of runs of this server's figure by that of nginx's
`return 200`, taken just before or after. For `POST /echo` nginx reads and throws away the body and returns 1 KiB from
its configuration; its echo module, which does return the body (chunked), is a row of its own. Latencies are wrk's; it
has none that mean anything for pipelined requests. fastpysgi and fastwsgi leave Nagle's algorithm on, so pipelined
answers leave in few packets that wait for acknowledgements: little CPU, few answers. In the slow scenarios nginx is
measured without slow connections, the asynchronous servers make the blocking call in their default thread pool
(asyncio: the number of cores + 4 threads; Starlette: 40), and a slow answer counts as a request."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with aligned columns.

    >>> print(table(["a", "b"], [["1", "long"]]))
    | a |    b |
    |---|-----:|
    | 1 | long |
    """
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def draw(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        return "| " + " | ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]) + " |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]) + "|"
    return "\n".join([draw(lines[0]), rule, *(draw(line) for line in lines[1:])])


def _ratio(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.2f}"


def _failures(row: Row) -> str:
    total: dict[str, int] = {}
    for sample in row.samples:
        for kind, count in sample.failures.items():
            total[kind] = total.get(kind, 0) + count
    return ", ".join(f"{count} {kind}" for kind, count in total.items()) or "0"


def _cells(row: Row, title: str, scenario: Scenario) -> list[str]:
    answered = any(sample.requests_per_second for sample in row.samples)
    # wrk corrects latencies for requests it would have sent meanwhile; a pipelined batch takes it out of its depth.
    timed = answered and scenario.script != "pipeline.lua"
    cells = [
        title,
        f"{row.middle(lambda sample: sample.requests_per_second):,.0f}",
        f"{row.middle(lambda sample: sample.cpu_us):.2f}" if answered else "-",
        f"{row.middle(lambda sample: sample.system_us):.2f}" if answered else "-",
        _ratio(row.ratio(lambda sample: sample.cpu_us)),
        _ratio(row.ratio(lambda sample: sample.requests_per_second)),
        f"{row.middle(lambda sample: sample.p50_us):,.0f}" if timed else "-",
        f"{row.middle(lambda sample: sample.p99_us):,.0f}" if timed else "-",
        _failures(row),
    ]
    if scenario.slow_connections:
        cells.append(f"{row.middle(lambda sample: sample.slow_answers_share or 0.0):.0%}")
    return cells


def _scenario_table(scenario: Scenario, rows: Sequence[Row], titles: Mapping[str, str]) -> str:
    beside = "`/`" if scenario.beside == "itself" else "nginx"
    head = ["server", "req/s", "CPU us", "of it system", f"CPU / {beside}", f"req/s / {beside}"]
    head += ["p50 us", "p99 us", "failures"]
    if scenario.slow_connections:
        head.append("slow answers of ideal")
    measured = [row for row in rows if row.samples]
    body = [_cells(row, titles[row.server], scenario) for row in measured]
    if scenario.beside == "nginx" and (pairs := [sample for row in measured for sample in row.beside]):
        body.insert(0, _cells(Row(scenario.name, "nginx", pairs), titles["nginx"], scenario))
        if scenario.slow_connections:
            body[0][-1] = "-"
    troubles = [f"- {titles[row.server]}: {row.trouble}" for row in rows if row.trouble]
    parts = [f"### {scenario.title[0].upper()}{scenario.title[1:]}", f"Goal: {scenario.goal}."]
    if body:
        parts.append(table(head, body))
    return "\n\n".join(parts + (["\n".join(troubles)] if troubles else []))


def _summary(rows: Sequence[Row], titles: Mapping[str, str]) -> str:
    measured = {row.scenario for row in rows}
    scenarios = [scenario for scenario in SCENARIOS if scenario.beside == "nginx" and scenario.name in measured]
    by_place = {(row.server, row.scenario): row for row in rows}
    body = []
    for server in dict.fromkeys(row.server for row in rows):
        found = [by_place.get((server, scenario.name)) for scenario in scenarios]
        body.append([titles[server], *(_ratio(row.ratio(lambda s: s.cpu_us) if row else None) for row in found)])
    return "### CPU by request / nginx\n\n" + table(["server", *(scenario.name for scenario in scenarios)], body)


def _idle_table(rows: Sequence[IdleRow], titles: Mapping[str, str]) -> str:
    body = []
    for row in rows:
        memory = row.memory
        per_connection = [f"{memory.bytes_per_connection:,.0f}", f"{memory.total_bytes / 2**20:.1f}"] if memory else []
        body.append(
            [
                titles[row.server],
                "-" if row.wakeups is None else f"{row.wakeups} in {row.seconds:g} s",
                *(per_connection or ["-", "-"]),
                f"{memory.connections:,}" if memory else "-",
                row.trouble or "-",
            ]
        )
    head = ["server", "wake-ups", "octets by connection", "MiB in all", "connections", "trouble"]
    goal = "Goal: no wake-ups; <= 1,024 octets of private memory by idle keep-alive connection, later 480."
    return f"### An idle server\n\n{goal}\n\n{table(head, body)}"


def tables(rows: Sequence[Row], idle_rows: Sequence[IdleRow], titles: Mapping[str, str]) -> str:
    """All the tables as Markdown; `titles` has a title for each server's name."""
    parts = [_summary(rows, titles)] if any(row.samples for row in rows) else []
    for scenario in SCENARIOS:
        if own := [row for row in rows if row.scenario == scenario.name]:
            parts.append(_scenario_table(scenario, own, titles))
    if idle_rows:
        parts.append(_idle_table(idle_rows, titles))
    return "\n\n".join(parts)


def document(facts: Mapping[str, str], versions: Mapping[str, str | None], command: str, body: str) -> str:
    """The whole of RESULTS.md: where, when, with what command, with which versions, and the tables."""
    about = "\n".join(f"- {title}: {fact}" for title, fact in facts.items())
    peers = ", ".join(f"{name} {version or '(not installed)'}" for name, version in versions.items())
    made = f"Made by `{command}`; ratios travel between machines, absolute figures do not."
    return f"# Results\n\n{made}\n\n{about}\n- Versions: {peers}\n\n{_NOTES}\n\n{body}\n"
