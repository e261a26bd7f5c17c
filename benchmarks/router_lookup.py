"""What one look-up in the route table costs, and that it does not grow with the number of routes.

Owns:  the table of nanoseconds per match among 10 and among 1,000 routes, and their ratio.
Knows: the router alone; no engine, no server.
Never: a verdict; machines are noisy, so a person reads the numbers. Run: python benchmarks/router_lookup.py
"""

from __future__ import annotations

import timeit

from tinybeam import Request, Router
from tinybeam.router import RouteTable

FEW, MANY = 10, 1000
CALLS, ROUNDS = 20_000, 25
CASES = {
    "literal": ("GET", "/r1/status"),
    "one int": ("GET", "/users/42"),
    "one str": ("GET", "/r1/items/blue"),
    "two parameters": ("POST", "/r1/items/blue/42"),
    "percent-encoded": ("GET", "/r1/items/bl%75e"),
    "rest of the path": ("GET", "/files/a/b/c.txt"),
    "automatic HEAD": ("HEAD", "/users/42"),
    "404": ("GET", "/nowhere/at/all"),
    "405": ("DELETE", "/users/42"),
}


def table_of(count: int) -> RouteTable:
    """A table of about this many routes, most of which have a parameter."""
    router = Router()
    router.get("/users/{id:int}")(lambda request, id: id)
    router.get("/files/{rest:path}")(lambda request, rest: rest)
    for number in range(count // 3):
        router.get(f"/r{number}/status")(lambda request: "")
        router.get(f"/r{number}/items/{{name}}")(lambda request, name: name)
        router.post(f"/r{number}/items/{{name}}/{{id:int}}")(lambda request, name, id: id)
    return router.compile()


def nanoseconds(table: RouteTable, request: Request) -> float:
    names = {"match": table.match, "request": request}
    return min(timeit.repeat("match(request)", globals=names, number=CALLS, repeat=ROUNDS)) / CALLS * 1e9


def main() -> None:
    few, many = table_of(FEW), table_of(MANY)
    print(f"| match | {FEW:,} routes | {MANY:,} routes | ratio |\n|---|---|---|---|")
    for name, (method, path) in CASES.items():
        request = Request(7, method, path)
        low, high = nanoseconds(few, request), nanoseconds(many, request)
        print(f"| {name}: {method} {path} | {low:.0f} ns | {high:.0f} ns | {high / low:.2f} |")


if __name__ == "__main__":
    main()
