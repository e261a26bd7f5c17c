"""Tinybeam's front door: the names that an application imports.

Owns:  nothing; it re-exports.
Knows: the doors of the rooms.
Never: a definition, or an import of what most applications do not need.
"""

from tinybeam.errors import ClientDisconnected, HTTPError
from tinybeam.http import Event, Headers, Request, Response
from tinybeam.router import Router

__all__ = ["ClientDisconnected", "Event", "HTTPError", "Headers", "Request", "Response", "Router"]
