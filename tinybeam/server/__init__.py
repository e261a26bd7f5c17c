"""The door of the server's room: where engine, router and actors meet.

Owns:  the names that other rooms may import.
Knows: the files of this room.
Never: command lines or tests; they stand above.
"""

from tinybeam.server.actor import Server
from tinybeam.server.engines import share_memory
from tinybeam.server.files import refused
from tinybeam.server.handling import run_request
from tinybeam.server.loop import EventLoop
from tinybeam.server.plan import App, plan
from tinybeam.server.running import RunningServer, serve

__all__ = ["App", "EventLoop", "RunningServer", "Server", "plan", "refused", "run_request", "serve", "share_memory"]
