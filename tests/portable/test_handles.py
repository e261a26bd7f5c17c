"""Handles: taken once, never reused, and strangers to each other's tables."""

from __future__ import annotations

import threading

from tinybeam import contract
from tinybeam.portable.handles import HandleTable


def opened(table: HandleTable) -> int:
    exchange = table.open()
    assert exchange is not None
    # Somebody has to be there, or the client counts as gone.
    exchange.connection = object()  # type: ignore[assignment]
    return exchange.handle


def test_a_handle_is_taken_once() -> None:
    table = HandleTable(4)
    handle = opened(table)
    code, exchange = table.take(handle)
    assert code == contract.OK
    assert exchange is not None
    assert table.take(handle) == (contract.EALREADY, None)
    table.close(exchange)
    assert table.take(handle) == (contract.EALREADY, None)


def test_a_slot_that_is_used_again_has_another_handle() -> None:
    table = HandleTable(1)
    first = opened(table)
    assert table.open() is None
    exchange = table.take(first)[1]
    assert exchange is not None
    table.close(exchange)
    second = opened(table)
    assert second != first
    assert table.take(first)[0] == contract.EALREADY
    assert table.take(second)[0] == contract.OK


def test_the_answer_to_a_client_that_has_left_is_late() -> None:
    table = HandleTable(1)
    exchange = table.open()
    assert exchange is not None
    exchange.connection = None
    assert table.take(exchange.handle) == (contract.EDISCONNECTED, exchange)


def test_what_was_never_given_out_is_no_handle() -> None:
    table = HandleTable(4)
    handle = opened(table)
    for forged in (0, 1, (1 << 64) - 1, handle + (1 << 20), handle ^ 1, handle ^ (1 << 52)):
        assert table.take(forged) == (contract.EBADHANDLE, None)


def test_an_exchange_that_is_reopened_goes_by_another_handle() -> None:
    table = HandleTable(1)
    first = opened(table)
    exchange = table.take(first)[1]
    assert exchange is not None
    assert table.reopen(exchange)
    assert table.take(first) == (contract.EALREADY, None)
    assert table.awaits(exchange)
    assert table.take(exchange.handle)[0] == contract.OK


def test_a_slot_whose_generations_are_used_up_is_retired() -> None:
    table = HandleTable(1)
    exchange = table.open()
    assert exchange is not None
    exchange.generation = 0xFFFF_FFFF
    assert not table.reopen(exchange)
    table.close(exchange)
    assert table.open() is None
    assert table.open_count == 0


def test_of_many_threads_one_takes_a_handle() -> None:
    table = HandleTable(64)
    handles = [opened(table) for _ in range(64)]
    taken: list[int] = []

    def take_all() -> None:
        taken.extend(handle for handle in handles if table.take(handle)[0] == contract.OK)

    threads = [threading.Thread(target=take_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(handles)
