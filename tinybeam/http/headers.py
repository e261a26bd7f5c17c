"""The header fields of a message, as a read-only mapping over the octets that the engine checked.

Owns:  looking a field up by its name, whatever its case.
Knows: the block of tinybeam.h: "\\nname:value\\nname:value\\n", names lower-cased, values trimmed.
Never: a parse of the whole block to find one field, or a change to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tinybeam.http.fields import is_token, is_value


class Headers(Mapping[str, str]):
    r"""Header fields; names compare without case, values are Latin-1 text (RFC 9110 section 5.5).

    Where a name has several lines, `headers[name]` is all of them joined by ", ", or by "; " for Cookie (RFC 9110
    section 5.3, RFC 9113 section 8.2.3). That is wrong for Set-Cookie: use `get_all` for it.

    >>> headers = Headers(b"\nhost:localhost\naccept:text/html\naccept:*/*\n")
    >>> headers["Accept"], headers.get_all("accept"), "cookie" in headers
    ('text/html, */*', ['text/html', '*/*'], False)
    >>> list(headers), len(headers)
    (['host', 'accept'], 2)
    """

    __slots__ = ("_block",)

    def __init__(self, block: bytes = b"\n") -> None:
        self._block = block

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Headers:
        """Headers of (name, value) pairs, for tests and clients. Raises ValueError for a pair that is no field."""
        lines = ["\n"]
        for name, value in pairs:
            if not is_token(name) or not is_value(value):
                raise ValueError(f"header {name!r}: {value!r} cannot be a header field")
            text = value.strip(" \t")
            lines.append(f"{name.lower()}:{text}\n")
        return cls("".join(lines).encode("latin-1"))

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """The value, several lines of the name joined; `default` where there is none."""
        key = _key(name)
        block = self._block
        start = block.find(key)
        if start < 0:
            return default
        start += len(key)
        end = block.index(b"\n", start)
        if block.find(key, end) < 0:
            return block[start:end].decode("latin-1")
        return ("; " if key == b"\ncookie:" else ", ").join(self.get_all(name))

    def get_all(self, name: str) -> list[str]:
        """The value of every line of this name, in the order sent; an empty list where there is none."""
        key = _key(name)
        block = self._block
        values = []
        start = block.find(key)
        while start >= 0:
            start += len(key)
            end = block.index(b"\n", start)
            values.append(block[start:end].decode("latin-1"))
            start = block.find(key, end)
        return values

    def lines(self) -> list[tuple[str, str]]:
        """Every field line as (name, value), in the order sent."""
        rows = self._block.decode("latin-1")[1:].split("\n")[:-1]
        return [(name, value) for name, _, value in (row.partition(":") for row in rows)]

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in self._block

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self.lines()))

    def __len__(self) -> int:
        return len({name for name, _ in self.lines()})

    def __repr__(self) -> str:
        """The names only: values may be secrets, and what is printed ends up in logs."""
        return f"<Headers {', '.join(self)}>"


def _key(name: str) -> bytes:
    """What a line of this name begins with. A name that no field can have gets a key that no block can hold."""
    if ":" in name or not name.isascii():
        return b"\n\n"
    return b"\n" + name.lower().encode("ascii") + b":"
