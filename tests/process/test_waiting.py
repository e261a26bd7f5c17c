"""Two races of who waits and who wakes, each taken apart so that it happens every time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tinybeam.process import GenServer, NoProcess, StartFailed, bonds, exit, receive, self_ref
from tinybeam.process.crew import Crew, Member
from tinybeam.process.ready_queue import ReadyQueue


def test_who_wakes_a_receiver_does_not_mind_that_the_wait_is_over_by_now() -> None:
    lock = threading.Lock()
    lock.acquire()

    class Over:
        """Ties of which the receiver is gone when it is looked at once more."""

        seen = iter([lock])

        @property
        def receiver(self) -> Any:
            return next(self.seen, None)

    process = self_ref()._process
    ties, process._bonds = process._bonds, Over()
    try:
        process._wake_receiver()
    finally:
        process._bonds = ties
    assert not lock.locked()


def test_a_driver_that_rests_is_not_replaced() -> None:
    queue = ReadyQueue()
    crew = Crew(queue)
    crew.take_up()
    member = crew._driver = Member(crew)
    member.resting = True
    queue.processes.append(object())  # just pushed; who pushes it is about to wake the driver
    crew.replace(member)
    assert crew._driver is member
    assert crew._threads == 0
    queue.processes.clear()


def test_a_process_that_was_killed_starts_no_linked_one_any_more() -> None:
    class Child(GenServer):
        def init(self, to: Any) -> None:
            to.send("started")

    class Parent(GenServer):
        def handle_cast(self, to: Any, state: Any) -> Any:
            exit(self._actor_ref, "kill")
            try:
                Child.start_link(to)
            except StartFailed as error:
                to.send(error)
            return state

    before = set(bonds.processes)
    parent = Parent.start()
    parent.cast(self_ref())
    failed = receive(30)
    assert isinstance(failed, StartFailed)
    assert failed.reason == "noproc"
    assert set(bonds.processes) - {self_ref()._process} == before - {self_ref()._process}
    with pytest.raises(NoProcess):
        parent.call("")
