"""Connections made up by a seed: requests in all their disguises, good ones and bad ones.

Owns:  how the productions are put together, how often each is chosen, and where the octets are cut.
Knows: the shape of a request.
Never: an outcome: which of them are good is for the two readers to say.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import productions


class Generator:
    """Makes one connection's octets for each seed; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        # Where much is odd, something is soon refused, and nobody reads the rest.
        self._oddness = self._random.choice([0.1, 0.5, 1.0])

    def connection(self) -> bytes:
        """One to three requests, perhaps with something before, between or behind them, perhaps cut off or damaged."""
        some = self._random
        text = "\r\n" * some.choice([0] * 40 + [1, 2, 3]) + "\n" * some.choice([0] * 80 + [1])
        for _ in range(some.choice([1, 1, 1, 2, 3])):
            text += self._request()
        text += some.choice([""] * 30 + ["\r\n", "X", "\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
        octets = text.encode("latin-1")
        if some.random() < 0.05:
            octets = octets[: some.randrange(len(octets) + 1)]
        if some.random() < 0.05 and octets:
            at = some.randrange(len(octets))
            octets = (
                octets[:at]
                + bytes([some.choice([0, 9, 10, 13, 32, 58, 127, 255, some.randrange(256)])])
                + octets[at + some.randrange(2) :]
            )
        return octets

    def pieces(self, octets: bytes) -> list[bytes]:
        """The octets as they may come: whole, cut in a few places, or, where they are few, one by one."""
        some = self._random
        kind = some.random()
        cuts: list[int] = []
        if 0.5 < kind < 0.9 and octets:
            cuts = sorted({some.randrange(len(octets)) for _ in range(some.choice([1, 1, 2, 5]))} - {0})
        elif kind >= 0.9 and len(octets) < 500:
            cuts = list(range(1, len(octets)))
        stops = [*cuts, len(octets)]
        return [octets[begin:stop] for begin, stop in zip([0, *cuts], stops, strict=True) if stop > begin]

    def _rarely(self, choices: Sequence[str], usual: str, odds: float = 0.06) -> str:
        return self._random.choice(choices) if self._random.random() < odds * self._oddness else usual

    def _end(self) -> str:
        return self._rarely(productions.ENDS, "\r\n", 0.1)

    def _request(self) -> str:
        some = self._random
        method = self._rarely(productions.METHODS, some.choice(["GET"] * 5 + ["POST"] * 5 + ["HEAD", "OPTIONS"]))
        target = self._rarely(productions.TARGETS, some.choice(["/", "/a/b?c=d"]), 0.1)
        if some.random() < 0.5:
            target = some.choice(productions.TARGETS_OF.get(method, [target]))
        if some.random() < 0.002:
            target = productions.TARGET_TOO_LONG
        space = self._rarely(["  ", "\t", "", "\x0b"], " ", 0.02)
        version = self._rarely(productions.VERSIONS, "HTTP/1.1", 0.1)
        last = self._rarely([" ", "	"], "", 0.01)
        lines = [f"{method}{space}{target}{self._rarely(['  ', chr(9), ''], ' ', 0.02)}{version}{last}"]
        fields = self._fields(version)
        body, framing = self._body()
        fields += framing
        some.shuffle(fields)
        lines[0] += self._rarely(["\n"], self._end(), 0.01)
        return lines[0] + "".join(field + self._end() for field in fields) + self._end() + body

    def _fields(self, version: str) -> list[str]:
        some = self._random
        host = f"Host:{self._rarely(['', '  ', chr(9)], ' ')}{self._rarely(productions.HOSTS, 'a', 0.2)}"
        fields = [host] * some.choice([0, 1] if version > "HTTP/1.1" else [1] * 60 + [0, 2])
        for _ in range(some.choice([0, 0, 1, 2])):
            name, value = self._rarely(productions.NAMES, "X-A", 0.15), self._rarely(productions.VALUES, "b", 0.25)
            fields.append(f"{name}:{self._rarely(['', '  ', chr(9)], ' ')}{value}")
        if version == "HTTP/1.0" and some.random() < 0.5:
            fields.append("Connection: keep-alive")
        elif some.random() < 0.1:
            fields.append(f"Connection: {some.choice(productions.CONNECTIONS)}")
        if some.random() < 0.06:
            fields.append(some.choice(productions.OTHERS))
        if some.random() < 0.01:
            fields.append(some.choice(["no colon", ": no name", " folded: x", "\tfolded"]))
        if some.random() < 0.003:
            fields.append(some.choice(productions.SECTIONS_TOO_LARGE))
        return fields

    def _body(self) -> tuple[str, list[str]]:
        """The octets of a body and the fields that frame it, which may not fit together."""
        some = self._random
        kind = some.choice(["none"] * 6 + ["length"] * 4 + ["chunked"] * 6 + ["both", "neither"])
        if kind == "none":
            return "", []
        content = "".join(some.choice("abc\r\n0") for _ in range(some.choice([0, 1, 5, 20])))
        fields = []
        if kind in ("length", "both"):
            name = self._rarely(["content-length", "Content-Length ", "Content_Length"], "Content-Length")
            fields.append(f"{name}: {self._filled(self._rarely(productions.LENGTHS, '{n}', 0.25), len(content))}")
            fields += [f"Content-Length: {self._filled('{m}', len(content))}"] * some.choice([0] * 30 + [1])
        if kind in ("chunked", "both"):
            name = self._rarely(["transfer-encoding", "Transfer-Encoding ", "Transfer_Encoding"], "Transfer-Encoding")
            fields.append(f"{name}: {self._rarely(productions.CODINGS, 'chunked', 0.25)}")
            fields += ["Transfer-Encoding: chunked"] * some.choice([0] * 30 + [1])
            return self._chunks(content), fields
        return content, fields

    def _filled(self, form: str, length: int) -> str:
        return form.replace("{n}", str(length)).replace("{m}", str(max(0, length + self._random.choice([-1, 0, 1]))))

    def _chunks(self, content: str) -> str:
        some = self._random
        text = ""
        while content:
            piece = content[: some.randrange(1, len(content) + 1)]
            content = content[len(piece) :]
            form = self._rarely(productions.SIZES, "{n:x}", 0.1)
            size = form.format(n=len(piece), m=len(piece) + some.choice([-1, 1]))
            text += f"{size}{self._rarely(productions.EXTENSIONS, '', 0.15)}{self._end()}{piece}{self._end()}"
        if some.random() < 0.005:
            text += productions.CHUNKS_OF_LITTLE
        last = self._rarely(["00", "0x0", "", "-0", "000000"], "0", 0.05)
        text += f"{last}{self._rarely(productions.EXTENSIONS, '', 0.05)}{self._end()}"
        for _ in range(some.choice([0] * 8 + [1, 2])):
            name, value = self._rarely(productions.NAMES, "T", 0.2), self._rarely(productions.VALUES, "u", 0.2)
            text += f"{name}: {value}{self._end()}"
        if some.random() < 0.01:
            text += some.choice(productions.SECTIONS_TOO_LARGE) + "\r\n"
        return text + self._end()
