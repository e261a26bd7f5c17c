"""The door of the HTTP room: the values that a request and its answer are made of.

Owns:  the names that other rooms may import.
Knows: the files of this room.
Never: I/O or threads; everything here is a value or makes one.
"""

from tinybeam.http.accept_encoding import choose as choose_coding
from tinybeam.http.answer import (
    KIND_ASK,
    KIND_BYTES,
    KIND_CONTINUE,
    KIND_CUT,
    KIND_END,
    KIND_HINTS,
    KIND_HTML,
    KIND_JSON,
    KIND_LAST,
    KIND_PART,
    KIND_STREAM,
    KIND_TEXT,
    LENGTH_UNKNOWN,
    Answer,
    Continue,
    Result,
    answer,
    as_response,
    beginning,
)
from tinybeam.http.before_send import answer_seen, carry_over
from tinybeam.http.body import Body, BodyParts
from tinybeam.http.event import HEARTBEAT, Event
from tinybeam.http.fields import field_octets_of, is_token
from tinybeam.http.file import File, FileFields, check_file_field, file_fields, is_missing, refusal_of
from tinybeam.http.headers import Headers
from tinybeam.http.parts import Encoder, InParts, part_octets
from tinybeam.http.query import QueryParams
from tinybeam.http.request import Request
from tinybeam.http.response import Response
from tinybeam.http.status import has_body, reason
from tinybeam.http.streamed_request import StreamedRequest, streamed
from tinybeam.http.wire import NoWire, Wire, wired

__all__ = [
    "HEARTBEAT",
    "KIND_ASK",
    "KIND_BYTES",
    "KIND_CONTINUE",
    "KIND_CUT",
    "KIND_END",
    "KIND_HINTS",
    "KIND_HTML",
    "KIND_JSON",
    "KIND_LAST",
    "KIND_PART",
    "KIND_STREAM",
    "KIND_TEXT",
    "LENGTH_UNKNOWN",
    "Answer",
    "Body",
    "BodyParts",
    "Continue",
    "Encoder",
    "Event",
    "File",
    "FileFields",
    "Headers",
    "InParts",
    "NoWire",
    "QueryParams",
    "Request",
    "Response",
    "Result",
    "StreamedRequest",
    "Wire",
    "answer",
    "answer_seen",
    "as_response",
    "beginning",
    "carry_over",
    "choose_coding",
    "check_file_field",
    "field_octets_of",
    "file_fields",
    "has_body",
    "is_missing",
    "is_token",
    "part_octets",
    "reason",
    "refusal_of",
    "streamed",
    "wired",
]
