"""What tests of processes share: nothing of one test is there in the next, and a server that does what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.process.supervised import Start, receive_all
from tinybeam.process import GenServer, ReceiveTimeout, bonds, exit, receive, registered, self_ref, unregister
from tinybeam.process.agent import Agent
from tinybeam.process.blocking import blockers
from tinybeam.process.crew import crew
from tinybeam.process.registry import Registry
from tinybeam.process.supervisor import Supervisor

# No test waits this long unless it fails.
PATIENCE_S = 30


def others() -> list[Any]:
    """All processes but those that stand for plain threads."""
    return [process for process in list(bonds.processes) if type(process).__name__ != "Guest"]


def busy_threads() -> int:
    """How many threads of the crew are inside a process, or about to be."""
    with crew._lock:
        driver = crew._driver
        idle = len(crew._spare) + (1 if driver is not None and driver.resting else 0)
        return crew._threads - idle + blockers.pool.busy


@pytest.fixture(autouse=True)
def clean(until: Callable[[Callable[[], object]], None]) -> Iterator[None]:
    """Ends what the test has left, and fails it when something cannot be ended."""
    yield
    while left := others():
        for process in left:  # a supervisor may have started another one meanwhile, but not once it has ended itself
            exit(process._actor_ref, "kill")
    for name in registered():
        unregister(name)
    until(lambda: busy_threads() == 0)
    until(lambda: not others())
    process = self_ref()._process
    with bonds.lock:
        process._bonds = None  # monitors and links of this test's
    while True:
        try:
            receive(0)
        except ReceiveTimeout:
            break
    assert registered() == []


@pytest.fixture(scope="session", autouse=True)
def no_thread_stays() -> Iterator[None]:
    """All threads of ours end by themselves when nothing is left to do."""
    yield
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("tinybeam-")]
    for thread in ours:
        thread.join(PATIENCE_S)
    assert [thread.name for thread in ours if thread.is_alive()] == []


class Obedient(GenServer):
    """A server whose messages are functions: what they return is what the callback returns."""

    def init(self, state: Any = None, *_args: Any) -> Any:
        return state(self) if callable(state) else state

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return message(self, from_, state) if callable(message) else (message, state)

    def handle_cast(self, message: Any, state: Any) -> Any:
        return message(self, state) if callable(message) else state

    def handle_info(self, message: Any, state: Any) -> Any:
        return message(self, state) if callable(message) else state


@pytest.fixture
def obedient() -> type[Obedient]:
    return Obedient


@pytest.fixture
def me() -> Any:
    """The ref of the test itself."""
    return self_ref()


@pytest.fixture
def threads() -> Iterator[Callable[..., threading.Thread]]:
    """Starts threads that must have ended, without an error, when the test ends."""
    started: list[threading.Thread] = []

    def start(run: Callable[..., Any], *args: Any) -> threading.Thread:
        thread = threading.Thread(target=run, args=args, daemon=True)
        started.append(thread)
        thread.start()
        return thread

    yield start
    for thread in started:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in started), "a thread of the test hangs"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a supervisor, and sees to it that nothing of it is left."""
    self_ref()
    before = set(bonds.processes)
    supervisors = []

    def start_link(children: Any, cls: Any = Supervisor, **options: Any) -> Any:
        supervisors.append(cls.start_link(children, **options))
        return supervisors[-1]

    yield start_link
    for supervisor in supervisors:
        supervisor.stop(timeout=PATIENCE_S)
    assert bonds.processes == before
    while receive_all():
        pass


@pytest.fixture
def agent() -> Iterator[Any]:
    """A process that is no thread's, traps no exits, and is told what to do by the test."""
    ref = Agent.start(dict)
    yield ref
    exit(ref, "kill")


@pytest.fixture
def starts() -> Iterator[Start]:
    """Starts processes of any kind, which have ended when the test has."""
    started: list[Any] = []

    def start_one(starts: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        started.append(starts(*args, **kwargs))
        return started[-1]

    yield start_one
    for ref in reversed(started):
        exit(ref, "kill")


@pytest.fixture
def unique(starts: Start) -> Any:
    """A registry with unique keys."""
    return starts(Registry.start, keys="unique", name="unique")
