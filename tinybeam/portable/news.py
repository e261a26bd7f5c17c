"""What there is to tell of exchanges.

Owns:  the line of those of which there is something, each of them in it once.
Knows: handles.
Never: frees a slot that is in the line: it goes when that has been told.
"""

from __future__ import annotations

from tinybeam import contract
from tinybeam.portable.room import Room
from tinybeam.portable.state import Exchange, StreamState


def push(room: Room, exchange: Exchange, what: int) -> None:
    """There is this to tell, beside what there may be already."""
    if not exchange.news:
        room.news.append(exchange)
    if what & contract.NEWS_GONE:
        exchange.news &= ~contract.NEWS_MORE  # who has left wants no more
    exchange.news |= what


def release(room: Room, exchange: Exchange) -> None:
    """Frees the slot of an exchange that is over, now or when it has been told of."""
    if exchange.news:
        exchange.connection = None
        exchange.stream = StreamState.GONE
    else:
        room.handles.close(exchange)


def take(room: Room) -> list[tuple[int, int]]:
    """Takes what there is to tell: handles, with NEWS_..."""
    found: list[tuple[int, int]] = []
    while room.news:
        exchange = room.news.popleft()
        found.append((exchange.handle, exchange.news))
        exchange.news = 0
        if exchange.stream is StreamState.GONE:
            room.handles.close(exchange)
    return found
