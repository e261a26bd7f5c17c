"""The lobby: one runner holds the scheduler, others wait, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tinybeam import contract
from tinybeam.errors import NativeError
from tinybeam.portable.lobby import RUNNERS_MAX, Lobby, Place

RESUME, SPARE = contract.POLL_RESUME << 48, contract.POLL_SPARE << 48


@pytest.fixture
def lobby() -> Lobby:
    return Lobby(standby_idle_ms=20)


def started(work: Callable[[], int]) -> tuple[threading.Thread, list[int]]:
    """Runs this in a thread; what it returns, or the code of what it raises, is in the list."""
    results: list[int] = []

    def run() -> None:
        try:
            results.append(work())
        except NativeError as error:
            results.append(error.code)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def parked(lobby: Lobby, place: Place) -> tuple[threading.Thread, list[int]]:
    """Lets a runner wait on stand-by, and returns when it does."""
    before = lobby.standbys
    thread, results = started(lambda: lobby.wait(place))
    while lobby.standbys == before:
        pass
    return thread, results


def test_the_first_one_holds_the_scheduler_and_others_do_not(lobby: Lobby) -> None:
    first, second = lobby.open(), lobby.open()
    assert (lobby.take(first), lobby.take(second)) == (True, False)
    assert (first.number, second.number, lobby.runners) == (0, 1, 2)


def test_a_holder_that_runs_handlers_and_does_not_come_back_is_followed_by_another(lobby: Lobby) -> None:
    first, second = lobby.open(), lobby.open()
    lobby.take(first)
    lobby.release(first)
    thread, results = parked(lobby, second)
    assert not lobby.give_on(lobby.sequence), "it runs no handler"
    first.phase[0] = contract.PHASE_RUNNING
    assert not lobby.give_on(lobby.sequence - 1), "it has polled since"
    assert lobby.give_on(lobby.sequence)
    thread.join()
    assert results == [RESUME | SPARE | first.number << 32]
    assert (lobby.take(first), lobby.take(second)) == (False, True)


def test_one_that_polls_is_never_followed(lobby: Lobby) -> None:
    first, second = lobby.open(), lobby.open()
    thread, _ = parked(lobby, second)
    lobby.take(first)
    first.phase[0] = contract.PHASE_RUNNING
    assert not lobby.give_on(lobby.sequence)
    lobby.shut()
    thread.join()


def test_the_scheduler_of_one_that_leaves_goes_to_one_on_stand_by(lobby: Lobby) -> None:
    first, second = lobby.open(), lobby.open()
    thread, results = parked(lobby, second)
    lobby.close(first)
    thread.join()
    assert results == [RESUME | SPARE]
    assert lobby.take(second)


def test_the_scheduler_that_nobody_holds_goes_to_the_next_that_opens_or_polls(lobby: Lobby) -> None:
    lobby.close(lobby.open())
    assert lobby.take(lobby.open())


def test_of_several_on_stand_by_one_stays(lobby: Lobby) -> None:
    lobby.open()
    waiting = [parked(lobby, lobby.open()) for _ in range(3)]
    while lobby.standbys > 1:
        pass
    lobby.shut()
    for thread, _ in waiting:
        thread.join()
    codes = sorted(result for _, results in waiting for result in results)
    assert codes == [contract.ESHUTDOWN, contract.POLL_RETIRE << 48, contract.POLL_RETIRE << 48]


def test_nobody_takes_the_scheduler_of_a_closed_engine(lobby: Lobby) -> None:
    place = lobby.open()
    lobby.shut()
    with pytest.raises(NativeError) as caught:
        lobby.take(place)
    assert caught.value.code == contract.ESHUTDOWN


def test_there_are_so_many_places_and_no_more(lobby: Lobby) -> None:
    places = [lobby.open() for _ in range(RUNNERS_MAX)]
    with pytest.raises(NativeError) as caught:
        lobby.open()
    assert caught.value.code == contract.ELIMIT
    lobby.close(places[7])
    assert lobby.open().number == 7
