"""A turn: drawn from by two threads, and its answers taken by one of them."""

from __future__ import annotations

import threading
from typing import Any

from tinybeam.http import Request
from tinybeam.server.turn import Turn


def requests(count: int) -> list[Request]:
    return [Request(handle=n, method="GET", path_raw="/") for n in range(count)]


def test_a_new_turn_is_empty() -> None:
    turn = Turn()
    assert (list(turn.requests), turn.take_answers(), turn.endpoint) == ([], [], None)


def test_taken_answers_are_the_taker_s_alone() -> None:
    answers: list[Any] = [(1, 1, "a"), (2, 1, "b")]
    turn = Turn((), answers)
    assert turn.take_answers() == [(1, 1, "a"), (2, 1, "b")]
    assert turn.take_answers() == []


def test_an_answer_that_comes_after_the_taking_stays() -> None:
    turn = Turn()
    append = turn.answers.append  # as the runner holds it
    append((1, 1, "a"))
    taken = turn.take_answers()
    append((2, 1, "b"))
    assert (taken, turn.take_answers()) == ([(1, 1, "a")], [(2, 1, "b")])


def test_each_request_is_drawn_by_one_of_two_threads_that_share_the_turn() -> None:
    turn = Turn(requests(20_000))
    drawn: list[list[int]] = [[], []]
    start = threading.Barrier(2)

    def draw(mine: list[int]) -> None:
        start.wait()
        mine.extend(request.handle for request in turn.requests)

    threads = [threading.Thread(target=draw, args=(mine,)) for mine in drawn]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(drawn[0] + drawn[1]) == list(range(20_000))


def test_each_answer_is_taken_once_while_another_thread_goes_on_answering() -> None:
    turn = Turn()
    start = threading.Barrier(3)

    def give() -> None:
        start.wait()
        for n in range(20_000):
            turn.answers.append((n, 1, "a"))

    def take(mine: list[int]) -> None:
        start.wait()
        while giving.is_alive():
            mine.extend(one[0] for one in turn.take_answers())

    giving = threading.Thread(target=give)
    taken: list[list[int]] = [[], []]
    takers = [threading.Thread(target=take, args=(mine,)) for mine in taken]
    for thread in (giving, *takers):
        thread.start()
    for thread in (giving, *takers):
        thread.join()
    rest = [one[0] for one in turn.take_answers()]
    assert sorted(taken[0] + taken[1] + rest) == list(range(20_000))
