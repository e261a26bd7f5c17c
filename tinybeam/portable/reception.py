"""Answers as they come in from Python.

Owns:  the way of each kind of answer, what other threads have left for the holder, and the count of refusals.
Knows: handles, exchanges, streams.
Never: touches a connection but in the hands of the holder of the scheduler.
"""

from __future__ import annotations

from collections import deque

from tinybeam import contract
from tinybeam.portable import exchanges, stream
from tinybeam.portable.answers import Part, Reply, read_answers
from tinybeam.portable.room import Room
from tinybeam.portable.state import Exchange


class Reception:
    """Any thread may `post`; the holder spends and takes."""

    def __init__(self, room: Room) -> None:
        self._room = room
        # Answers come with their exchanges, which are taken.
        self._posts: deque[Part | tuple[Exchange, Reply]] = deque()
        self._timeouts: deque[tuple[int, int]] = deque()

    @property
    def pending(self) -> bool:
        """Whether something waits for the holder."""
        return bool(self._posts or self._timeouts or self._room.wanted)

    def post(self, answers: bytes) -> int:
        """Takes the handles of these answers, and leaves them for the holder. Returns the first refusal, or OK; raises
        NativeError when they are no terms."""
        result = contract.OK
        for one in read_answers(answers):
            if isinstance(one, Part):
                self._posts.append(one)
                continue
            handle, reply = one
            code, exchange = self._take(handle)
            if exchange is not None:
                self._posts.append((exchange, reply))
            result = result or code
        return result

    def post_reply(self, handle: int, reply: Reply) -> int:
        """Takes the handle, and leaves its answer for the holder. Returns OK, or why not: then that is not taken."""
        code, exchange = self._take(handle)
        if exchange is not None:
            self._posts.append((exchange, reply))
        return code

    def post_part(self, part: Part) -> None:
        """Leaves a part of a stream for the holder."""
        self._posts.append(part)

    def post_timeout(self, handle: int, timeout_ms: int) -> None:
        """Leaves another deadline for the holder to note."""
        self._timeouts.append((handle, timeout_ms))

    def spend(self, answers: bytes) -> None:
        """Spends the handles of these answers at once. Raises NativeError when they are no terms."""
        if not answers:
            return
        self.take_posts()  # hints, for one, that a handler gave before it returned
        for one in read_answers(answers):
            if isinstance(one, Part):
                stream.on_part(self._room, one)
                continue
            handle, reply = one
            _, exchange = self._take(handle)
            if exchange is not None:
                exchanges.answer(self._room, exchange, reply)

    def take_posts(self) -> None:
        """Does what other threads have left."""
        exchanges.flow(self._room)
        while self._timeouts:
            exchanges.set_timeout(self._room, *self._timeouts.popleft())
        while self._posts:
            post = self._posts.popleft()
            if isinstance(post, Part):
                stream.on_part(self._room, post)
            else:
                exchanges.answer(self._room, *post)

    def _take(self, handle: int) -> tuple[int, Exchange | None]:
        code, exchange = self._room.handles.take(handle)
        if code != contract.OK:
            self._room.count_refusal("answers_late" if exchange is not None else "answers_refused")
        return code, exchange
