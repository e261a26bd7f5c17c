"""Tinybeam's front door: the names that an application imports.

Owns:  nothing; it re-exports.
Knows: the doors of the rooms.
Never: a definition, or an import of what most applications do not need.
"""

from tinybeam.errors import HTTPError
from tinybeam.http import Headers, Request, Response
from tinybeam.router import Router

__all__ = ["HTTPError", "Headers", "Request", "Response", "Router"]
