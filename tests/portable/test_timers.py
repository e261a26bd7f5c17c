"""Timers: who is due, in what order, and that what was moved or cleared is not."""

from __future__ import annotations

from tinybeam.portable.timers import NEVER, Timers


class Item:
    def __init__(self, name: str) -> None:
        self.name = name
        self.timer_ms = NEVER


def names(timers: Timers[Item], now_ms: int) -> list[str]:
    return [item.name for item in timers.take(now_ms)]


def test_they_come_up_in_the_order_of_their_time_and_once() -> None:
    timers: Timers[Item] = Timers()
    for at_ms in (30, 10, 20):
        timers.set(Item(str(at_ms)), at_ms)
    assert timers.due_ms == 10
    assert names(timers, 9) == []
    assert names(timers, 20) == ["10", "20"]
    assert names(timers, 100) == ["30"]
    assert (names(timers, 1000), timers.due_ms) == ([], NEVER)


def test_one_that_was_moved_comes_up_at_its_new_time_only() -> None:
    timers: Timers[Item] = Timers()
    item = Item("moved")
    timers.set(item, 10)
    timers.set(item, 30)
    assert names(timers, 20) == []
    assert names(timers, 30) == ["moved"]


def test_one_that_was_cleared_does_not_come_up() -> None:
    timers: Timers[Item] = Timers()
    item = Item("cleared")
    timers.set(item, 10)
    timers.clear(item)
    assert names(timers, 100) == []


def test_one_that_is_early_enough_is_left_where_it_is() -> None:
    timers: Timers[Item] = Timers()
    item = Item("left")
    timers.set(item, 1000)
    timers.set_no_later(item, 900, 0)  # an eighth later is allowed
    assert item.timer_ms == 1000
    timers.set_no_later(item, 500, 0)
    assert item.timer_ms == 500


def test_one_that_is_set_while_others_come_up_waits_for_the_next_time() -> None:
    timers: Timers[Item] = Timers()
    item = Item("again")
    timers.set(item, 10)
    for due in timers.take(10):
        timers.set(due, 5)
    assert names(timers, 10) == ["again"]


def test_entries_that_count_no_more_do_not_pile_up() -> None:
    timers: Timers[Item] = Timers()
    item = Item("restless")
    for at_ms in range(100_000, 200_000):
        timers.set(item, at_ms)
    assert len(timers._heap) < 1000
    assert names(timers, 300_000) == ["restless"]
