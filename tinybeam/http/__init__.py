"""The door of the HTTP room: the values that a request and its answer are made of.

Owns:  the names that other rooms may import.
Knows: the files of this room.
Never: I/O or threads; everything here is a value or makes one.
"""

from tinybeam.http.answer import (
    KIND_BYTES,
    KIND_CONTINUE,
    KIND_HTML,
    KIND_JSON,
    KIND_TEXT,
    Answer,
    Continue,
    Result,
    answer,
    as_response,
)
from tinybeam.http.fields import is_token
from tinybeam.http.headers import Headers
from tinybeam.http.query import QueryParams
from tinybeam.http.request import Request
from tinybeam.http.response import Response
from tinybeam.http.status import has_body, reason

__all__ = [
    "KIND_BYTES",
    "KIND_CONTINUE",
    "KIND_HTML",
    "KIND_JSON",
    "KIND_TEXT",
    "Answer",
    "Continue",
    "Headers",
    "QueryParams",
    "Request",
    "Response",
    "Result",
    "answer",
    "as_response",
    "has_body",
    "is_token",
    "reason",
]
