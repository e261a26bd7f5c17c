"""The door of the portable engine: the contract of native/include/tinybeam.h, kept in pure Python.

Owns:  the name that the server may import.
Knows: the files of this room.
Never: a library, ctypes, or anything that not every Python has.
"""

from tinybeam.portable.engine import PortableEngine

__all__ = ["PortableEngine"]
