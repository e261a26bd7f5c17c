"""Handlers that talk to processes, and processes that flood themselves.

Owns:  a counter, and as many flooding processes as /flood was told.
Knows: nothing of who measures.
Never: does more in one handler than its twin, but for what is measured.
"""

from typing import Any

from tinybeam import Request, Router
from tinybeam.process import GenServer, self_ref


class Counter(GenServer):
    """Counts what it is called for and cast."""

    def handle_call(self, message: Any, from_: Any, count: int) -> tuple[int, int]:
        return 1, count + 1

    def handle_cast(self, message: Any, count: int) -> int:
        return count + 1


class Flood(GenServer):
    """Always has a message of its own waiting."""

    def init(self) -> None:
        self_ref().cast("again")

    def handle_cast(self, message: Any, state: None) -> None:
        self_ref().cast("again")


router = Router()
counter = Counter.start(0)
floods: list[Any] = []


@router.get("/plain")
def plain(request: Request) -> str:
    return str(1)


@router.get("/call")
def call(request: Request) -> str:
    return str(counter.call("count"))


@router.get("/cast")
def cast(request: Request) -> str:
    counter.cast("count")
    return str(1)


@router.get("/")
def index(request: Request) -> str:
    return "yay"


@router.get("/flood/{count:int}")
def flood(request: Request, count: int) -> str:
    floods.extend(Flood.start() for _ in range(count))
    return "flooding"
