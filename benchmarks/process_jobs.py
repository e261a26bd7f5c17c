"""What is measured of processes, ours and pykka's: `python benchmarks/process_jobs.py SYSTEM JOB COUNT`.

Owns:  the jobs, each of which prints one line of JSON: microseconds by operation on both clocks, and bytes by process.
Knows: that it runs in an OS process of its own, which ends with the job; processes.erl does the same on the BEAM.
Never: measures two systems in one OS process, or the end of the interpreter.
"""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import pykka

from tinybeam import process
from tinybeam.process import GenServer

WAIT_S = 120.0
CHAIN_LENGTH = 10
# Each job is done before with so many times fewer, but for the one whose memory is measured.
WARM_UP_SHARE = 10


class Counter(GenServer):
    """An int; a message that is not None is something to do in the process."""

    def handle_call(self, message: Any, from_: Any, count: int) -> tuple[int, int]:
        return count, count + 1

    def handle_cast(self, message: Any, count: int) -> int:
        if message is None:
            return count + 1
        message()
        return count


class Hop(GenServer):
    """Asks the next one of a chain, or sends what is left of a number of messages back."""

    def handle_call(self, message: Any, from_: Any, following: Any) -> tuple[int, Any]:
        return (0 if following is None else following.call(message)), following

    def handle_cast(self, message: Any, partner: Any) -> Any:
        if type(message) is not tuple:
            return message
        left, done = message
        if left:
            partner.cast((left - 1, done))
        else:
            done()
        return partner


class Child(GenServer):
    """Says who it is; crashes when it is told to."""

    def init(self, started: Callable[[Any], None]) -> None:
        started(process.self_ref())

    def handle_cast(self, message: Any, state: None) -> None:
        raise RuntimeError("as the benchmark wants it")


class PykkaCounter(pykka.ThreadingActor):
    """The same for pykka, whose actors keep their state themselves."""

    use_daemon_thread = True

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def on_receive(self, message: Any) -> Any:
        if message is None:
            self.count += 1
            return self.count
        return message()


class PykkaHop(pykka.ThreadingActor):
    """The same for pykka; `ask` and `tell` are told apart by the message."""

    use_daemon_thread = True

    def __init__(self, following: Any) -> None:
        super().__init__()
        self.following = following

    def on_receive(self, message: Any) -> Any:
        if message is None:
            return 0 if self.following is None else self.following.ask(None)
        if type(message) is not tuple:
            self.following = message
        elif message[0]:
            self.following.tell((message[0] - 1, message[1]))
        else:
            message[1]()
        return None


class System:
    """How one of the two is started and talked to."""

    def __init__(self, counter: Any, hop: Any, call: str, cast: str) -> None:
        self.counter, self.hop = counter, hop
        self._call, self._cast = call, cast

    def call(self, ref: Any) -> Callable[[Any], Any]:
        return getattr(ref, self._call)  # type: ignore[no-any-return]

    def cast(self, ref: Any) -> Callable[[Any], None]:
        return getattr(ref, self._cast)  # type: ignore[no-any-return]


SYSTEMS = {
    "tinybeam": System(Counter, Hop, "call", "cast"),
    "pykka": System(PykkaCounter, PykkaHop, "ask", "tell"),
}


class Clock:
    """Wall clock and CPU of the whole OS process, from where it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def sample(self, count: int) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"wall_us": wall / count * 1e6, "cpu_us": cpu / count * 1e6}


def resident_bytes() -> int:
    """What the OS process holds of the memory of the machine now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def wait(event: threading.Event) -> None:
    """Waits for what a process says."""
    if not event.wait(WAIT_S):
        raise TimeoutError(f"a process has said nothing for {WAIT_S:g} s")


def start(system: System, count: int) -> dict[str, float]:
    """All alive at once, and the last one answers."""
    refs: list[Any] = [None] * count
    create = system.counter.start
    before, clock = resident_bytes(), Clock()
    for number in range(count):
        refs[number] = create(number)
    sample = clock.sample(count)
    sample["bytes"] = (resident_bytes() - before) / count
    system.call(refs[-1])(None)
    return sample


def call(system: System, count: int) -> dict[str, float]:
    """Round trips to an idle one, one after the other."""
    ask = system.call(system.counter.start(0))
    clock = Clock()
    for _ in range(count):
        ask(None)
    return clock.sample(count)


def cast_send(system: System, count: int) -> dict[str, float]:
    """What it costs the sender alone: who is sent to does nothing until all is sent."""
    ref = system.counter.start(0)
    tell, inside, go_on, done = system.cast(ref), threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        wait(go_on)

    tell(hold)
    wait(inside)
    clock = Clock()
    for _ in range(count):
        tell(None)
    sample = clock.sample(count)
    go_on.set()
    tell(done.set)
    wait(done)
    return sample


def cast(system: System, count: int) -> dict[str, float]:
    """From the first that is sent until the last is handled, in whichever thread."""
    tell, done = system.cast(system.counter.start(0)), threading.Event()
    clock = Clock()
    for _ in range(count):
        tell(None)
    tell(done.set)
    wait(done)
    return clock.sample(count)


def stop(system: System, count: int) -> dict[str, float]:
    """One after the other, in the order in which they were started."""
    refs = [system.counter.start(number) for number in range(count)]
    clock = Clock()
    for ref in refs:
        ref.stop()
    return clock.sample(count)


def ping_pong(system: System, count: int) -> dict[str, float]:
    """Messages to and fro between two."""
    one, other, done = system.hop.start(None), system.hop.start(None), threading.Event()
    system.cast(one)(other)
    system.cast(other)(one)
    clock = Clock()
    system.cast(one)((count - 1, done.set))
    wait(done)
    return clock.sample(count)


def busy_call(system: System, count: int) -> dict[str, float]:
    """Two threads call the same one all the time."""
    ask = system.call(system.counter.start(0))

    def work() -> None:
        for _ in range(count // 2):
            ask(None)

    threads = [threading.Thread(target=work) for _ in range(2)]
    clock = Clock()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clock.sample(count // 2 * 2)


def chain(system: System, count: int) -> dict[str, float]:
    """A call that each of ten hands on to the next."""
    ref = None
    for _ in range(CHAIN_LENGTH):
        ref = system.hop.start(ref)
    ask = system.call(ref)
    clock = Clock()
    for _ in range(count):
        ask(None)
    return clock.sample(count)


def restart(system: System, count: int) -> dict[str, float] | None:
    """From the message that a child crashes on until the next one's init. None: there are no supervisors."""
    supervisor = getattr(process, "Supervisor", None)
    if supervisor is None or system.counter is not Counter:
        return None
    started: SimpleQueue[Any] = SimpleQueue()
    supervisor.start([(Child, started.put)], max_restarts=count + 1, max_seconds=3600)
    child, clock = started.get(timeout=WAIT_S), Clock()
    for _ in range(count):
        child.cast("crash")
        child = started.get(timeout=WAIT_S)
    return clock.sample(count)


JOBS: dict[str, Callable[[System, int], dict[str, float] | None]] = {
    "start": start,
    "call": call,
    "cast_send": cast_send,
    "cast": cast,
    "stop": stop,
    "restart": restart,
    "ping_pong": ping_pong,
    "busy_call": busy_call,
    "chain": chain,
}


def main() -> None:
    """Prints the sample, and ends without taking anything down: a million processes take their time."""
    logging.disable()
    system, job, count = SYSTEMS[sys.argv[1]], JOBS[sys.argv[2]], int(sys.argv[3])
    if job is not start:
        job(system, count // WARM_UP_SHARE)
    print(json.dumps(job(system, count)), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
