"""The door of the router's room: which handler answers a request.

Owns:  the names that other rooms may import.
Knows: the files of this room.
Never: how a handler is run, or by which thread.
"""

from tinybeam.router.constant import Constant
from tinybeam.router.route import SERVER_DEFAULT, Endpoint, Route
from tinybeam.router.router import Router
from tinybeam.router.table import RouteTable
from tinybeam.router.trie import Match

__all__ = ["SERVER_DEFAULT", "Constant", "Endpoint", "Match", "Route", "RouteTable", "Router"]
