"""PubSub: what is broadcast reaches all who have subscribed, whatever one of them is at."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tinybeam.process import Exit, GenServer, NoProcess, exit, receive, self_ref
from tinybeam.process.pubsub import PubSub

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


Start = Callable[..., Any]


class Subscriber(GenServer):
    """Tells the test what it gets, and who it is."""

    def init(self, told: Any, pubsub: Any, topic: Any) -> Any:
        PubSub.subscribe(pubsub, topic)
        return told

    def handle_info(self, message: Any, told: Any) -> Any:
        told.send((self_ref(), message))
        return told


class Full(Subscriber):
    """Has no room for a message, ever."""

    mailbox_max = 0


@pytest.fixture
def events(starts: Start) -> Any:
    return starts(PubSub.start, name="events")


def took() -> Any:
    return receive(PATIENCE_S, want=lambda message: type(message) is tuple)


def test_a_broadcast_reaches_all_subscribers_of_the_topic_and_nobody_else(starts: Start, events: Any) -> None:
    subscribers = [starts(Subscriber.start, self_ref(), "events", "orders") for _ in range(3)]
    starts(Subscriber.start, self_ref(), "events", "bills")
    assert PubSub.subscribers("events", "orders") == subscribers
    assert PubSub.broadcast("events", "orders", "paid") == 3
    assert {took() for _ in range(3)} == {(subscriber, "paid") for subscriber in subscribers}
    assert PubSub.broadcast(events, "bills", "due") == 1
    assert took()[1] == "due"
    assert PubSub.broadcast(events, "nothing", "of interest") == 0


def test_messages_of_one_sender_come_in_their_order(starts: Start, events: Any) -> None:
    starts(Subscriber.start, self_ref(), "events", "orders")
    for number in range(100):
        PubSub.broadcast("events", "orders", number)
    assert [took()[1] for _ in range(100)] == list(range(100))


def test_a_broadcast_from_one_goes_to_the_others(starts: Start, events: Any) -> None:
    one, other = (starts(Subscriber.start, self_ref(), "events", "orders") for _ in range(2))
    assert PubSub.broadcast_from("events", one, "orders", "paid") == 1
    assert took() == (other, "paid")
    assert PubSub.local_broadcast("events", "orders", "all") == 2
    assert {took() for _ in range(2)} == {(one, "all"), (other, "all")}


def test_who_subscribes_twice_gets_all_twice_and_unsubscribes_once(events: Any) -> None:
    for _ in range(2):
        PubSub.subscribe("events", "orders")
    assert PubSub.broadcast("events", "orders", ("paid",)) == 2
    assert [took(), took()] == [("paid",), ("paid",)]
    PubSub.unsubscribe("events", "orders")
    PubSub.unsubscribe("events", "orders")
    assert PubSub.broadcast("events", "orders", ("paid",)) == 0


def test_a_subscription_ends_with_its_process(starts: Start, events: Any) -> None:
    subscriber = starts(Subscriber.start, self_ref(), "events", "orders")
    subscriber.stop()
    assert PubSub.subscribers("events", "orders") == []
    assert PubSub.broadcast("events", "orders", "paid") == 0


def test_a_full_mailbox_costs_nobody_else_and_is_counted(
    starts: Start, events: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first = starts(Subscriber.start, self_ref(), "events", "orders")
    starts(Full.start, self_ref(), "events", "orders")
    last = starts(Subscriber.start, self_ref(), "events", "orders")
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            assert PubSub.broadcast("events", "orders", "paid") == 2
    assert [took()[0] for _ in range(200)].count(first) == 100
    assert last.is_alive()
    assert PubSub.undelivered("events") == 100
    # It is said, but not a hundred times.
    warnings = [record.getMessage() for record in caplog.records]
    assert 1 <= len(warnings) < 100
    assert warnings[0].endswith("1 subscribers of orders have full mailboxes and went without a message, 1 in all")


def test_there_may_be_several(starts: Start, events: Any) -> None:
    others = starts(PubSub.start)
    starts(Subscriber.start, self_ref(), "events", "orders")
    starts(Subscriber.start, self_ref(), others, "orders")
    assert PubSub.broadcast("events", "orders", 1) == PubSub.broadcast(others, "orders", 2) == 1
    assert {took()[1], took()[1]} == {1, 2}


def test_without_a_pubsub_there_is_nothing_to_subscribe_to() -> None:
    for function in (PubSub.subscribe, PubSub.unsubscribe, PubSub.subscribers):
        with pytest.raises(NoProcess, match="there is no PubSub nobody's"):
            function("nobody's", "orders")
    with pytest.raises(NoProcess, match="there is no PubSub"):
        PubSub.broadcast("nobody's", "orders", "paid")


def test_when_it_fails_its_subscribers_end_too(starts: Start, events: Any) -> None:
    subscriber = starts(Subscriber.start_link, self_ref(), "events", "orders")
    exit(events, "kill")
    ended = receive(PATIENCE_S, want=lambda message: type(message) is Exit)
    assert ended == (subscriber, "killed")


def test_ten_thousand_subscribers_get_it(starts: Start, events: Any) -> None:
    for _ in range(10_000):
        starts(Subscriber.start, self_ref(), "events", "orders")
    assert PubSub.broadcast("events", "orders", "paid") == 10_000
    assert len({took()[0] for _ in range(10_000)}) == 10_000


def test_who_comes_and_goes_meanwhile_disturbs_no_broadcast(starts: Start, events: Any) -> None:
    steady = starts(Subscriber.start, self_ref(), "events", "orders")
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            exit(Subscriber.start(self_ref(), "events", "orders"), "kill")

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(1000):
        assert PubSub.broadcast("events", "orders", number) >= 1
    over.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    got = [
        receive(PATIENCE_S, want=lambda message: type(message) is tuple and message[0] is steady) for _ in range(1000)
    ]
    assert got == [(steady, number) for number in range(1000)]
    assert PubSub.subscribers("events", "orders") == [steady]
