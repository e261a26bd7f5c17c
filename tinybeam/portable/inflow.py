"""A body on its way from its connection to whoever reads it, in parts.

Owns:  the octets that have come and were not taken yet, and what there is to say at their end.
Knows: that the reader is in another thread than the holder of the scheduler: both hold the room's lock for it here.
Never: holds much more than HIGH_BYTES: then the connection is not read until the reader has taken most of it.
"""

from __future__ import annotations

from typing import Final

from tinybeam import contract
from tinybeam.portable import news
from tinybeam.portable.room import Room
from tinybeam.portable.state import Exchange, Inflow

HIGH_BYTES: Final = 128 * 1024
LOW_BYTES: Final = 64 * 1024

# How a body ends: it is all there; the client has left. Or with a status to refuse it with.
WHOLE: Final = 200
LEFT: Final = 499


# What any thread may call.


def open_(room: Room, handle: int, bytes_max: int) -> int:
    """For the reader of an offered request, whose handle it is: OK, or why there is nothing to read."""
    with room.inflow_lock:
        exchange = _find(room, handle)
        if exchange is None:
            return contract.EBADHANDLE
        code = room.handles.state(handle)
        if code == contract.OK and exchange.inflow is not None:
            return contract.EALREADY
        if code == contract.OK:
            exchange.inflow = Inflow(exchange, bytes_max)
        return code


def take(room: Room, handle: int, view: memoryview) -> int:
    """Takes octets. Their number; 0 at the end; EWAIT when there are none yet, and the holder will tell when there are;
    EBODY - status, EDISCONNECTED, EALREADY, EBADHANDLE. The holder may be wanted: see `Room.wanted`."""
    with room.inflow_lock:
        flow = _flow(room, handle)
        if flow is None:
            return _why_none(room, handle)
        if flow.octets:
            return _copy(room, flow, view)
        if flow.status:
            return _verdict(flow.status)
        if not flow.begun:
            _want(room, flow)
        flow.begun = flow.awaited = True
        return contract.EWAIT


def take_trailers(room: Room, handle: int) -> bytes | None:
    """The trailers of a body that has ended, in the form of fields; None when they are gone with their request."""
    with room.inflow_lock:
        flow = _flow(room, handle)
        return None if flow is None else flow.trailers


def _find(room: Room, handle: int) -> Exchange | None:
    exchange = room.handles.find_spent(handle)
    return exchange if exchange is not None and exchange.bodied else None


def _flow(room: Room, handle: int) -> Inflow | None:
    exchange = _find(room, handle)
    return None if exchange is None else exchange.inflow


def _why_none(room: Room, handle: int) -> int:
    code = room.handles.state(handle)
    return contract.EBADHANDLE if code == contract.OK else code


def _verdict(status: int) -> int:
    if status == WHOLE:
        return 0
    return contract.EDISCONNECTED if status == LEFT else contract.EBODY - status


def _copy(room: Room, flow: Inflow, view: memoryview) -> int:
    count = min(len(flow.octets), len(view))
    view[:count] = flow.octets[:count]
    del flow.octets[:count]
    if flow.held and len(flow.octets) <= LOW_BYTES:
        flow.held = False
        _want(room, flow)
    return count


def _want(room: Room, flow: Inflow) -> None:
    """The holder shall have the body read, or read on."""
    if not flow.wanted:
        flow.wanted = True
        room.wanted.append(flow)


# What the holder of the scheduler calls.


def next_wanted(room: Room) -> Inflow | None:
    """Takes the next one that a reader wants more of."""
    with room.inflow_lock:
        if not room.wanted:
            return None
        flow = room.wanted.popleft()
        flow.wanted = False
        return flow


def push(room: Room, exchange: Exchange, octets: bytes | bytearray) -> bool:
    """Octets of the body have come. Whether that is enough for now."""
    with room.inflow_lock:
        flow = exchange.inflow
        assert flow is not None
        flow.octets += octets
        flow.held = len(flow.octets) >= HIGH_BYTES
        _tell(room, exchange, flow)
        return flow.held


def end(room: Room, exchange: Exchange, status: int, trailers: bytes = b"\n") -> None:
    """No more will come."""
    with room.inflow_lock:
        flow = exchange.inflow
        if flow is not None and not flow.status:
            flow.status = status
            flow.trailers = trailers
            _tell(room, exchange, flow)


def close(room: Room, exchange: Exchange) -> None:
    """The exchange is over, or its client has left: what has not been taken will not be, and nobody can begin."""
    if not exchange.bodied:
        return
    with room.inflow_lock:
        flow, exchange.inflow = exchange.inflow, None
        exchange.bodied = False
        if flow is not None:
            flow.exchange = None
            _tell(room, exchange, flow)


def _tell(room: Room, exchange: Exchange, flow: Inflow) -> None:
    """Tells the reader, if it waits."""
    if flow.awaited:
        flow.awaited = False
        news.push(room, exchange, contract.NEWS_BODY)
