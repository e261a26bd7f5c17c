"""The parameters of a query string, as a read-only mapping that keeps every value of a name.

Owns:  splitting a query at "&" and "=", and decoding it.
Knows: application/x-www-form-urlencoded: "+" is a space, %XX is an octet of UTF-8.
Never: an error: what is not UTF-8 decodes to U+FFFD, as in `Request.path`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl


class QueryParams(Mapping[str, str]):
    """Query parameters; where a name comes several times, `params[name]` is its first value.

    >>> params = QueryParams("tag=a&tag=b&empty=&name=J%C3%BCrgen+M")
    >>> params["tag"], params.get_all("tag"), params["empty"], params["name"]
    ('a', ['a', 'b'], '', 'Jürgen M')
    >>> params.get("page", "1"), len(params)
    ('1', 3)
    """

    __slots__ = ("_values",)

    def __init__(self, query: str = "") -> None:
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        self._values = values

    def get_all(self, name: str) -> list[str]:
        """Every value of the name, in the order sent; an empty list where there is none."""
        return list(self._values.get(name, ()))

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"QueryParams({self._values!r})"
