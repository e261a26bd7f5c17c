"""The inbox: messages wait in order, are handled one at a time, and none is forgotten."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tinybeam.server.inbox import Inbox

if TYPE_CHECKING:
    from tests.conftest import Gate


def test_it_is_what_pykka_asks_of_an_inbox() -> None:
    inbox = Inbox()
    assert inbox.empty()
    inbox.put("a")
    inbox.put("b")
    assert not inbox.empty()
    assert [inbox.get(), inbox.get()] == ["a", "b"]
    with pytest.raises(IndexError):
        inbox.get()


def test_each_message_wakes_the_one_who_polls_after_it_is_there() -> None:
    inbox = Inbox()
    seen: list[bool] = []
    inbox.wake = lambda: seen.append(inbox.empty())
    inbox.put("a")
    inbox.put("b")
    assert seen == [False, False]


def test_messages_are_handled_in_order_and_so_are_those_that_come_meanwhile() -> None:
    inbox = Inbox()
    handled: list[str] = []

    def handle(message: str) -> None:
        handled.append(message)
        if message == "a":
            inbox.put("c")

    inbox.put("a")
    inbox.put("b")
    inbox.drain(handle)
    assert handled == ["a", "b", "c"]


def test_a_second_caller_leaves_at_once_and_the_first_handles_its_message(gate: Gate) -> None:
    inbox = Inbox()
    handled: list[tuple[str, str]] = []

    def handle(message: str) -> None:
        if message == "a":
            gate.wait()
        handled.append((message, threading.current_thread().name))

    inbox.put("a")
    first = threading.Thread(target=inbox.drain, args=(handle,), name="first")
    first.start()
    gate.reached()
    inbox.put("b")
    inbox.drain(handle)  # would never return if it waited: the gate is opened below
    assert handled == []
    gate.open()
    first.join()
    assert handled == [("a", "first"), ("b", "first")]


def test_a_message_that_raises_does_not_lock_the_inbox() -> None:
    inbox = Inbox()
    handled: list[str] = []

    def handle(message: str) -> None:
        if message == "bad":
            raise ValueError
        handled.append(message)

    inbox.put("bad")
    inbox.put("good")
    with pytest.raises(ValueError):  # noqa: PT011 - the one above
        inbox.drain(handle)
    inbox.drain(handle)
    assert handled == ["good"]


def test_a_message_that_drains_the_inbox_itself_does_not_hang() -> None:
    inbox = Inbox()
    handled: list[str] = []

    def handle(message: str) -> None:
        inbox.drain(handle)
        handled.append(message)

    inbox.put("a")
    inbox.put("b")
    inbox.drain(handle)
    assert handled == ["a", "b"]


def test_no_message_is_forgotten_between_many_who_put_and_many_who_drain() -> None:
    inbox = Inbox()
    handled: list[int] = []

    def use(first: int) -> None:
        for n in range(first, first + 2000):
            inbox.put(n)
            inbox.drain(handled.append)

    threads = [threading.Thread(target=use, args=(index * 2000,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inbox.empty()
    assert sorted(handled) == list(range(8000))
