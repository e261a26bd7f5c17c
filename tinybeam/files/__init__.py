"""Files as answers, without a native engine: where they lie, what is sent of them, and how it goes out in parts.

Owns:  the rules that the native engine keeps in native/src, from locate.c to parcel.c, in Python.
Knows: RFC 9110; the names of things in tinybeam.http.
Never: a socket, or who asks.
"""

from tinybeam.files.asked import Asked
from tinybeam.files.cargo import Cargo, ChangedError
from tinybeam.files.locate import Opened, Root, read_name, resolved
from tinybeam.files.mounts import Mount, Mounts
from tinybeam.files.parcel import CONTENT_MAX, Parcel, open_parcel, pack
from tinybeam.files.siblings import Choice, open_best

__all__ = [
    "CONTENT_MAX",
    "Asked",
    "Cargo",
    "ChangedError",
    "Choice",
    "Mount",
    "Mounts",
    "Opened",
    "Parcel",
    "Root",
    "open_best",
    "open_parcel",
    "pack",
    "read_name",
    "resolved",
]
