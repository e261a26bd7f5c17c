"""Path patterns, such as "/users/{id:int}".

Owns:  the grammar of a pattern, and the messages about its mistakes.
Knows: the kinds of parameter.
Never: a request; matching is the trie's.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from tinybeam.errors import ConfigError
from tinybeam.router.segment import CONVERTERS, PATH, Segment

_PARAMETER = re.compile(r"\{([^{}:]*)(?::([^{}:]*))?\}")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_KINDS = (*CONVERTERS, PATH)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed path pattern. Its segments are what stands between the slashes: "/" has one, which is empty."""

    text: str
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: object) -> Pattern:
        """Raises ConfigError, with what to write instead, for text that is no pattern.

        >>> Pattern.parse("/users/{id:int}").segments
        (Segment(text='users', kind=''), Segment(text='id', kind='int'))
        """
        if not isinstance(text, str):
            raise ConfigError(f"a path must be a str, such as '/users', not {text!r}")
        if not text.startswith("/"):
            raise ConfigError(f"the path {text!r} must begin with '/'")
        segments = tuple(_parsed(segment, text) for segment in text[1:].split("/"))
        if any(segment.kind == PATH for segment in segments[:-1]):
            raise ConfigError(
                f"in the path {text!r} a '{{...:path}}' parameter must come last: it takes all that is left"
            )
        pattern = cls(text, segments)
        if len(set(pattern.names)) < len(pattern.names):
            raise ConfigError(f"in the path {text!r} two parameters have the same name")
        return pattern

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, in the order of the path."""
        return tuple(segment.text for segment in self.segments if segment.kind)

    @property
    def is_literal(self) -> bool:
        return not any(segment.kind for segment in self.segments)

    @property
    def shape(self) -> tuple[Segment, ...]:
        """Equal for two patterns that match the same paths: a parameter's name does not matter, its kind does."""
        return tuple(Segment("", segment.kind) if segment.kind else segment for segment in self.segments)


def _parsed(segment: str, pattern: str) -> Segment:
    found = _PARAMETER.fullmatch(segment)
    if found:
        name, kind = found[1], "str" if found[2] is None else found[2]
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ConfigError(f"in the path {pattern!r} the parameter {segment!r} needs a name that Python allows")
        if name == "request":
            raise ConfigError(
                f"in the path {pattern!r} a parameter cannot be named 'request': guards know the request by it"
            )
        if kind not in _KINDS:
            raise ConfigError(f"in the path {pattern!r} the kind {kind!r} is unknown; there are {', '.join(_KINDS)}")
        return Segment(name, kind)
    if "{" in segment or "}" in segment:
        raise ConfigError(
            f"in the path {pattern!r} the segment {segment!r} mixes text and a parameter; "
            "a segment is one or the other: take a whole parameter and check it in the handler or in a guard"
        )
    if _ENCODED.search(segment):
        raise ConfigError(
            f"in the path {pattern!r} write {segment!r} decoded: routes are compared with the decoded path"
        )
    if "?" in segment or "#" in segment:
        raise ConfigError(f"the path {pattern!r} must end before '?' or '#'; read the query with request.query")
    return Segment(segment)
