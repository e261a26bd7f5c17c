"""Files as answers, without a native engine: where they lie, what is sent of them, and how it goes out in parts.

Owns:  the rules that the native engine keeps in native/src, from locate.c to parcel.c, in Python.
Knows: RFC 9110; the names of things in tinybeam.http.
Never: a socket, or who asks.
"""

from tinybeam.files.asked import Asked
from tinybeam.files.cargo import Cargo, ChangedError
from tinybeam.files.locate import Opened, Root, read_name, resolved
from tinybeam.files.mounts import (
    STATIC_FIELD_BYTES_MAX,
    STATIC_HIDDEN,
    STATIC_PASS,
    STATIC_PRECOMPRESSED,
    Mount,
    Mounts,
)
from tinybeam.files.parcel import Parcel, open_parcel
from tinybeam.files.siblings import open_best

__all__ = [
    "STATIC_FIELD_BYTES_MAX",
    "STATIC_HIDDEN",
    "STATIC_PASS",
    "STATIC_PRECOMPRESSED",
    "Asked",
    "Cargo",
    "ChangedError",
    "Mount",
    "Mounts",
    "Opened",
    "Parcel",
    "Root",
    "open_best",
    "open_parcel",
    "read_name",
    "resolved",
]
