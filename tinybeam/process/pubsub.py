"""PubSub: messages to all processes that have subscribed to a topic.

Owns:  the calls on a PubSub, which is given by its ref or its name, and the count of what could not be delivered.
Knows: that a subscriber may have a full mailbox, or end at any time, and that the others shall not notice.
Never: waits for a subscriber, or asks its own process: a broadcast runs in the thread of who sends it.

As Phoenix.PubSub on one node. Start it below a supervisor, before its subscribers, as
`PubSub.start_link(name="events")`; it may have any number of siblings under other names. When it fails, its
subscribers end too; see Registry.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from time import monotonic
from typing import Any, Final

from tinybeam.process.destinations import ref_of
from tinybeam.process.errors import MailboxFull, NoProcess
from tinybeam.process.genserver import GenServer
from tinybeam.process.here import current
from tinybeam.process.reasons import said
from tinybeam.process.table import DuplicateTable

logger = logging.getLogger("tinybeam.process")

_WARNING_EVERY_S: Final = 1.0


class PubSub(GenServer):
    """Call these on the class, with the PubSub's name or ref first. A message comes as it was sent, to `handle_info`.

    >>> from tinybeam.process import receive
    >>> events = PubSub.start(name="events")
    >>> PubSub.subscribe("events", "orders")
    >>> PubSub.broadcast("events", "orders", ("paid", 17))
    1
    >>> receive(timeout=5, want=lambda message: message[0] == "paid")
    ('paid', 17)
    >>> PubSub.unsubscribe("events", "orders")
    >>> events.stop()
    True
    """

    __slots__ = ("_table", "_undelivered", "_warn_at_s")

    def init(self) -> Any:
        """See GenServer."""
        self._table = DuplicateTable(self)
        self._undelivered = 0
        self._warn_at_s = 0.0

    @staticmethod
    def subscribe(pubsub: Any, topic: Hashable) -> None:
        """Has the calling process sent what is broadcast to the topic, until it ends.

        One that subscribes twice gets each message twice. Raises NoProcess when there is no such PubSub.
        """
        _open(pubsub)._table.register(current(), topic, None)

    @staticmethod
    def unsubscribe(pubsub: Any, topic: Hashable) -> None:
        """Ends all subscriptions of the calling process to the topic. What has been sent by now still comes."""
        _open(pubsub)._table.unregister(current(), topic)

    @staticmethod
    def broadcast(pubsub: Any, topic: Hashable, message: Any) -> int:
        """Sends a message to all subscribers of a topic; returns how many it was sent to.

        One whose mailbox is full goes without it, and is counted; see `undelivered`. The message is not copied.
        """
        return _open(pubsub)._broadcast(topic, message, None)

    @staticmethod
    def broadcast_from(pubsub: Any, ref: Any, topic: Hashable, message: Any) -> int:
        """The same, to all but one: mostly `self_ref()`."""
        return _open(pubsub)._broadcast(topic, message, ref)

    @staticmethod
    def local_broadcast(pubsub: Any, topic: Hashable, message: Any) -> int:
        """The same as `broadcast`, to subscribers in this OS process only. There are no others yet."""
        return _open(pubsub)._broadcast(topic, message, None)

    @staticmethod
    def subscribers(pubsub: Any, topic: Hashable) -> list[Any]:
        """The refs of all subscribers, one for each subscription."""
        return [ref for ref, _ in _open(pubsub)._table.lookup(topic)]

    @staticmethod
    def undelivered(pubsub: Any) -> int:
        """How many messages have found a full mailbox."""
        return _open(pubsub)._undelivered

    def _broadcast(self, topic: Hashable, message: Any, but: Any) -> int:
        sent = refused = 0
        for ref, _ in self._table.lookup(topic):
            if ref is but:
                continue
            try:
                ref.send(message)
                sent += 1
            except MailboxFull:
                refused += 1
        if refused:
            self._refused(topic, refused)
        return sent

    def _refused(self, topic: Hashable, count: int) -> None:
        """Counts what was not delivered; says so, but not each time."""
        self._undelivered += count
        now_s = monotonic()
        if now_s >= self._warn_at_s:
            self._warn_at_s = now_s + _WARNING_EVERY_S
            logger.warning(
                "%s: %d subscribers of %s have full mailboxes and went without a message, %d in all",
                *(self, count, said(topic), self._undelivered),
            )


def _open(pubsub: Any) -> PubSub:
    """The PubSub's process."""
    ref = ref_of(pubsub)
    process: PubSub | None = None if ref is None else ref._process
    if process is None:
        raise NoProcess(f"there is no PubSub {said(pubsub)}; start it before its subscribers")
    return process
