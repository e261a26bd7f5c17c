"""The door of the plugs' room: plugs that come with Tinybeam, for `through=`.

Owns:  the names that applications import.
Knows: the files of this room.
Never: what a router does with a plug; these are functions that take a request, as an application's own are.
"""

from tinybeam.plugs.compression import compress

__all__ = ["compress"]
