"""Looking into processes, and holding them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tinybeam.process import (
    CallTimeout,
    GenServer,
    NoProcess,
    Process,
    Traced,
    exit,
    get_state,
    monitor,
    receive,
    replace_state,
    resume,
    self_ref,
    statistics,
    suspend,
    trace,
)


class Adder(GenServer):
    def handle_call(self, message: Any, from_: Any, total: int) -> Any:
        if isinstance(message, threading.Event):
            message.wait(30)
        return total, total

    def handle_cast(self, amount: int, total: int) -> int:
        return total + amount


class Shelf(Process):
    def __init__(self, book: str) -> None:
        self.book = book


def test_a_state_is_that_after_what_was_sent_before() -> None:
    adder = Adder.start(0)
    for _ in range(1000):
        adder.cast(1)
    assert get_state(adder) == 1000
    adder.stop()


def test_a_state_is_replaced_and_given_back() -> None:
    adder = Adder.start(4)
    assert replace_state(adder, lambda total: total * 10) == 40
    assert adder.call("total") == 40
    adder.stop()


def test_a_change_that_raises_is_the_fault_of_who_asked() -> None:
    adder = Adder.start(4)
    with pytest.raises(ZeroDivisionError):
        replace_state(adder, lambda total: total // 0)
    assert adder.call("total") == 4
    adder.stop()


def test_the_state_of_a_process_is_its_attributes() -> None:
    shelf = Shelf.start("Emil")
    assert get_state(shelf) == {"book": "Emil"}
    replace_state(shelf, lambda attributes: {**attributes, "book": "Karlsson"})
    assert shelf.proxy().book.get() == "Karlsson"
    shelf.stop()


def test_a_process_that_is_held_handles_no_message_and_loses_none() -> None:
    adder = Adder.start(0)
    suspend(adder)
    adder.cast(5)
    with pytest.raises(CallTimeout):
        adder.call("total", timeout=0.01)
    assert get_state(adder) == 0
    resume(adder)
    assert adder.call("total") == 5
    adder.stop()


def test_a_look_that_waits_in_the_mailbox_is_taken_when_the_process_is_held() -> None:
    adder = Adder.start(0)
    inside = threading.Event()
    found: list[Any] = []
    asking = threading.Thread(target=adder.call, args=(inside, 30))
    looking = threading.Thread(target=lambda: found.append(get_state(adder, 30)))
    holding = threading.Thread(target=suspend, args=(adder, 30))
    for thread in (asking, looking, holding):
        thread.start()
    inside.set()
    for thread in (asking, looking, holding):
        thread.join()
    assert found == [0]
    resume(adder)
    adder.stop()


def test_a_process_that_is_held_can_be_ended() -> None:
    adder = Adder.start(0)
    monitor(adder)
    suspend(adder)
    exit(adder, "shutdown")
    assert receive(30).reason == "shutdown"


def test_one_that_does_not_look_up_is_told_of_in_time() -> None:
    adder = Adder.start(0)
    inside = threading.Event()
    asking = threading.Thread(target=adder.call, args=(inside, 30))
    asking.start()
    while adder.is_alive() and adder._process._lock.acquire(False):
        adder._process._lock.release()  # it has not begun yet
    with pytest.raises(CallTimeout, match="did not come to this"):
        suspend(adder, timeout=0.01)
    inside.set()
    asking.join()
    # The request to be held was made, and holds now; so does the one to go on.
    resume(adder)
    assert adder.call("total") == 0
    adder.stop()


def test_who_has_ended_is_not_looked_into() -> None:
    adder = Adder.start(0)
    adder.stop()
    with pytest.raises(NoProcess):
        get_state(adder)
    with pytest.raises(NoProcess):
        suspend("nobody has this name")


def test_a_trace_tells_each_message_and_its_answer_until_it_is_taken_off() -> None:
    adder = Adder.start(0)
    told: list[Traced] = []
    trace(adder, told.append)
    adder.cast(1)
    adder.call("total")
    trace(adder, None)
    adder.call("total")
    assert [(one.kind, one.message, one.answer) for one in told] == [("cast", 1, None), ("call", "total", 1)]
    assert told[0].process is adder
    assert vars(adder._process) == {}
    adder.stop()


def test_statistics_count_from_when_they_were_enabled() -> None:
    adder = Adder.start(0)
    adder.cast(1)
    assert statistics(adder) is None
    statistics(adder, enable=True)
    adder.cast(1)
    adder.call("total")
    counted = statistics(adder)
    assert counted is not None
    assert counted.messages == 2
    assert counted.waiting == 0
    assert statistics(adder, enable=False) is None
    adder.stop()


def test_a_process_may_look_into_itself() -> None:
    class Looker(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return get_state(self_ref()), state

    looker = Looker.start("mine")
    assert looker.call("look") == "mine"
    looker.stop()
