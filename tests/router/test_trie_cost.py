"""A match looks at few nodes, however many routes there are."""

from __future__ import annotations

from typing import Any

from tinybeam import Request, Router
from tinybeam.router import RouteTable
from tinybeam.router.trie import Node


class CountedDict(dict[str, Node]):
    """A dict that counts how often it is asked."""

    asked = 0

    def get(self, key: str, default: Any = None) -> Any:
        CountedDict.asked += 1
        return super().get(key, default)


def visits(table: RouteTable, path: str) -> tuple[str, int]:
    """What a match comes to, and how many nodes it looked at on the way."""

    def counted(node: Node) -> None:
        node.literals = CountedDict(node.literals)
        for child in [*node.literals.values(), *(child for _, child in node.branches.values())]:
            counted(child)

    # Only GET's: a match that fails goes on to ask the other methods' tries, for the sake of Allow.
    counted(table._tries["GET"])
    CountedDict.asked = 0
    endpoint, _ = table.match(Request(7, "GET", path))
    return endpoint.route.name, CountedDict.asked


def many_routes(count: int) -> RouteTable:
    router = Router()
    router.get("/users/{id:int}")(lambda request, id: id)
    router.get("/{page}")(lambda request, page: page)
    for number in range(count):
        router.get(f"/r{number}/x")(lambda request: "")
        router.get(f"/r{number}/{{a}}/y")(lambda request, a: a)
        router.get(f"/users/{{id:int}}/r{number}")(lambda request, id: id)
    return router.compile()


def test_a_match_looks_at_as_many_nodes_among_3000_routes_as_among_30() -> None:
    few, many = many_routes(10), many_routes(1000)
    for path in ("/users/42", "/r7/a/y", "/page", "/users/42/r7"):
        assert visits(few, path) == visits(many, path)
        # Each segment is looked at twice at most; two of the paths are found without a walk.
        assert visits(few, path)[1] <= 2 * len(path.split("/"))
    assert visits(many, "/r7/a/y")[1] > 0


def test_a_path_longer_than_any_route_is_not_walked_to_its_end() -> None:
    table = many_routes(10)
    assert visits(table, "/users/42" + "/a" * 4000) == visits(table, "/users/42/a")


def test_backtracking_visits_each_node_once() -> None:
    router = Router()
    # Every segment can be a literal or a parameter, and only a path that ends in "x" matches.
    for bits in range(2**6):
        names = [f"{{p{index}}}" if bits >> index & 1 else "a" for index in range(6)]
        router.get("/" + "/".join(names) + "/x")(lambda request, **params: len(params))
    table = router.compile()
    name, found = visits(table, "/a/a/a/a/a/a/x")
    assert name != "not found"
    # The way down is 8 segments, and a node that forks is asked twice: by `find` and by `_fork`.
    assert found <= 2 * 8
    name, missed = visits(table, "/a/a/a/a/a/a/y")
    # All 2^6 ways were tried, through a tree of less than 2^8 nodes that they share.
    assert name == "not found"
    assert 2**6 < missed <= 2 * 2**8
