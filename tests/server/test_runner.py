"""A runner's loop, driven by a scripted engine: what it does with each flag, each error and each fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tinybeam import Router, contract
from tinybeam.errors import NativeError
from tinybeam.http import Request
from tinybeam.process import ReadyQueue
from tinybeam.router import RouteTable
from tinybeam.server.handling import run_request
from tinybeam.server.runner import Runner, encoded
from tinybeam.server.turn import Turn

CLOSED = NativeError("closed", contract.ESHUTDOWN)


def batch(*paths: str, first: int = 1) -> bytes:
    """A batch as the engine writes it; the handles count from `first`."""
    return msgspec.msgpack.encode([[n, "GET", path] for n, path in enumerate(paths, first)])


def flags(bits: int, runner: int = 0) -> int:
    return bits << 48 | runner << 32


class ScriptedPort:
    """Gives what the test lists, one item a poll: (flags, batch), a function that makes one, or an error to raise."""

    engine: Any = None

    def __init__(self, *script: Any, number: int = 0) -> None:
        self.number = number
        self.script = list(script)
        self.phase = memoryview(bytearray(1))
        self.view = memoryview(b"")
        self.answers: list[Any] = []
        self.calls: list[str] = []

    def poll(self, answers: bytes) -> int:
        self.phase[0] = 0
        self.answers += msgspec.msgpack.decode(answers) if answers else []
        self.calls.append("poll")
        item = self.script.pop(0) if self.script else CLOSED
        if callable(item):
            item = item()
        if isinstance(item, BaseException):
            raise item
        status, octets = item
        self.view = memoryview(octets)
        return int(status | len(octets))

    def respond(self, answers: bytes) -> None:
        self.answers += msgspec.msgpack.decode(answers)

    def forfeit(self) -> None:
        self.calls.append("forfeit")

    def news(self) -> list[tuple[int, int]]:
        return [(7, contract.NEWS_MORE)]

    def shrink(self) -> None:
        """It has no buffer."""

    def close(self) -> None:
        self.calls.append("close")


decode_batch = msgspec.msgpack.Decoder(list[Request]).decode


class ScriptedHost:
    """The scheduler as a runner sees it; notes what it is told."""

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        self.match = table.match
        self.access_log = False
        self.queue = ReadyQueue()
        self.runners: dict[int, Runner] = {}
        self.told: list[Any] = []
        self.goes_on = True
        self.on_wake: Callable[[], None] = lambda: self.told.append("wake")
        self.on_signal: Callable[[], None] = lambda: self.told.append("signal")
        self.on_drained: Callable[[], None] = lambda: self.told.append("drained")

    def decode(self, view: memoryview) -> list[Request]:
        return decode_batch(view)

    def wake(self) -> None:
        self.told.append("poll without waiting")

    def start_runner(self) -> None:
        self.told.append("start")

    def on_news(self, news: list[tuple[int, int]]) -> None:
        self.told.append(("news", news))

    def on_takeover(self, endpoint: Any) -> None:
        self.told.append(("takeover", endpoint and endpoint.route.pattern.text))

    def on_fault(self, runner: Runner, error: BaseException) -> bool:
        self.told.append(("fault", type(error)))
        return self.goes_on

    def on_end(self, runner: Runner) -> None:
        self.told.append("end")

    def run_request(self, turn: Turn, request: Request) -> Any:
        return run_request(self.table, request)

    def run_judged(self, turn: Any, endpoint: Any, request: Request, values: Any) -> Any:
        return None


@pytest.fixture
def host() -> ScriptedHost:
    router = Router()

    @router.get("/crash")
    def crash(request: Request) -> str:
        raise SystemExit

    @router.get("/{rest:path}")
    def echo(request: Request, rest: str) -> str:
        return rest

    return ScriptedHost(router.compile())


def run(host: ScriptedHost, *script: Any) -> ScriptedPort:
    port = ScriptedPort(*script)
    Runner(host, port).run()  # type: ignore[arg-type]
    return port


def test_it_ends_when_the_engine_closes(host: ScriptedHost) -> None:
    port = run(host)
    assert (port.calls, host.told) == (["poll", "close"], ["end"])


def test_answers_go_with_the_next_poll_in_the_order_of_the_requests(host: ScriptedHost) -> None:
    port = run(host, (0, batch("/a", "/b")), (0, batch("/c", first=3)))
    assert port.answers == [[1, 1, "a"], [2, 1, "b"], [3, 1, "c"]]


def test_a_handler_that_raises_costs_only_its_own_answer(host: ScriptedHost) -> None:
    port = run(host, (0, batch("/a", "/crash", "/b")))
    assert [(answer[0], answer[1]) for answer in port.answers] == [(1, 1), (2, 500), (3, 1)]
    assert host.told == ["end"]


def test_it_says_that_it_runs_handlers_only_when_the_batch_is_decoded(host: ScriptedHost) -> None:
    phases: list[int] = []
    port = ScriptedPort((0, batch("/a")))
    host.match = lambda request: (phases.append(port.phase[0]), host.table.match(request))[1]  # type: ignore[assignment]
    Runner(host, port).run()  # type: ignore[arg-type]
    assert phases == [1]


def test_a_runner_too_many_leaves(host: ScriptedHost) -> None:
    port = run(host, (flags(contract.POLL_RETIRE), b""), (0, batch("/never")))
    assert (port.calls, host.told) == (["poll", "close"], ["end"])


def test_flags_are_passed_on(host: ScriptedHost) -> None:
    several = (
        contract.POLL_WAKE | contract.POLL_SIGNAL | contract.POLL_DRAINED | contract.POLL_SPARE | contract.POLL_NEWS
    )
    run(host, (flags(several), b""))
    assert host.told == ["start", "signal", "drained", ("news", [(7, contract.NEWS_MORE)]), "wake", "end"]


def test_requests_that_come_with_a_flag_are_run(host: ScriptedHost) -> None:
    port = run(host, (flags(contract.POLL_WAKE), batch("/a")))
    assert (port.answers, host.told) == ([[1, 1, "a"]], ["wake", "end"])


def test_a_successor_runs_the_requests_that_came_with_a_message_that_blocks(host: ScriptedHost) -> None:
    """The message's runner is blocked before it has run one of them; it may run only what is left to it."""
    successor = ScriptedPort((flags(contract.POLL_RESUME, runner=0), b""), number=1)
    host.on_wake = lambda: Runner(host, successor).run()  # type: ignore[arg-type]
    port = ScriptedPort((0, batch("/before")), (flags(contract.POLL_WAKE), batch("/a", "/b", "/c", first=2)))
    host.runners[0] = runner = Runner(host, port)  # type: ignore[arg-type]
    runner.run()
    assert sorted(port.answers + successor.answers) == [[1, 1, "before"], [2, 1, "a"], [3, 1, "b"], [4, 1, "c"]]
    assert ("takeover", None) in host.told  # a message is no evidence against the route that ran last


def test_a_successor_goes_on_where_the_blocked_runner_is(host: ScriptedHost) -> None:
    """`/block` is run by the first, which by then has answered `/a`; all else is the successor's."""
    successor = ScriptedPort((flags(contract.POLL_RESUME, runner=0), b""), number=1)
    port = ScriptedPort((0, batch("/a", "/block", "/b", "/c")))
    runner = Runner(host, port)  # type: ignore[arg-type]
    host.runners[0] = runner
    match = host.match

    def matching(request: Request) -> Any:
        found = match(request)
        if request.path == "/block":
            runner.turn.endpoint = found[0]
            Runner(host, successor).run()  # type: ignore[arg-type]
        return found

    host.match = matching  # type: ignore[assignment]
    runner.run()
    assert successor.answers == [[1, 1, "a"], [3, 1, "b"], [4, 1, "c"]]
    assert port.answers == [[2, 1, "block"]]
    assert ("takeover", "/{rest:path}") in host.told


def test_a_successor_of_a_runner_that_is_gone_just_polls(host: ScriptedHost) -> None:
    port = run(host, (flags(contract.POLL_RESUME, runner=7), b""), (0, batch("/a")))
    assert (port.answers, host.told) == ([[1, 1, "a"]], ["end"])


def test_a_fault_of_the_loop_forfeits_the_batch_and_the_loop_goes_on(host: ScriptedHost) -> None:
    port = run(host, (0, b"\xc1 is not MessagePack"), (0, batch("/a")))
    assert port.calls == ["poll", "forfeit", "poll", "poll", "close"]
    assert port.answers == [[1, 1, "a"]]
    assert host.told == [("fault", msgspec.DecodeError), "end"]


def test_a_fault_sends_what_answers_there_are_before_the_rest_is_forfeited(host: ScriptedHost) -> None:
    """The engine takes the first answer of a request; the log that fails stands for any bug of ours."""
    host.access_log = True
    ran = iter(range(3))

    def run_second_badly(turn: Turn, request: Request) -> Any:
        if next(ran) == 1:
            raise MemoryError
        return run_request(host.table, request)

    host.run_request = run_second_badly  # type: ignore[method-assign]
    port = run(host, (0, batch("/a", "/b", "/c")))
    assert port.answers == [[1, 1, "a"], [3, 500, b"", None]]
    assert port.calls == ["poll", "forfeit", "poll", "close"]


def test_a_runner_whose_clean_up_faults_too_goes_on(host: ScriptedHost) -> None:
    port = ScriptedPort((0, b"\xc1"), (0, batch("/a")))
    forfeits = iter([MemoryError(), None])

    def forfeit() -> None:
        if error := next(forfeits):
            raise error

    port.forfeit = forfeit  # type: ignore[method-assign]
    Runner(host, port).run()  # type: ignore[arg-type]
    assert port.answers == [[1, 1, "a"]]
    assert host.told == [("fault", msgspec.DecodeError), ("fault", MemoryError), "end"]


def test_an_error_of_the_engine_is_a_fault(host: ScriptedHost) -> None:
    run(host, NativeError("no memory", contract.ENOMEM))
    assert host.told == [("fault", NativeError), "end"]


def test_a_base_exception_in_the_loop_is_a_fault_too(host: ScriptedHost) -> None:
    run(host, KeyboardInterrupt())
    assert host.told == [("fault", KeyboardInterrupt), "end"]


def test_it_ends_when_there_were_too_many_faults(host: ScriptedHost) -> None:
    host.goes_on = False
    port = run(host, (0, b"\xc1"), (0, batch("/never")))
    assert port.calls == ["poll", "close"]
    assert host.told == [("fault", msgspec.DecodeError), "end"]


def test_a_fault_of_a_successor_costs_no_request_of_the_turn_that_it_took_over(host: ScriptedHost) -> None:
    """They are of another runner's batch, so forfeiting its own would leave them without an answer."""
    successor = ScriptedPort(
        (flags(contract.POLL_RESUME | contract.POLL_SIGNAL, runner=0), b""),
        number=1,
    )

    def fault() -> None:
        raise RuntimeError

    host.on_signal = fault
    port = ScriptedPort((0, batch("/a", "/block", "/b", "/c")))
    runner = Runner(host, port)  # type: ignore[arg-type]
    host.runners[0] = runner
    match = host.match

    def matching(request: Request) -> Any:
        if request.path == "/block":
            Runner(host, successor).run()  # type: ignore[arg-type]
        return match(request)

    host.match = matching  # type: ignore[assignment]
    runner.run()
    assert sorted(answer[0] for answer in port.answers + successor.answers) == [1, 2, 3, 4]


def test_an_answer_that_cannot_be_encoded_is_a_500_and_costs_no_other(host: ScriptedHost) -> None:
    port = ScriptedPort((0, batch("/a", "/b", "/c")))
    runner = Runner(host, port)  # type: ignore[arg-type]
    match = host.match

    def matching(request: Request) -> Any:
        if request.path == "/b":
            runner.turn.answers.append((request.handle, 200, b"", object()))  # type: ignore[arg-type]
            return host.judged, ()
        return match(request)

    host.judged = host.table.endpoints[0]  # type: ignore[attr-defined]
    host.judged.judge = object()  # type: ignore[attr-defined] # so that it is answered by the line above
    host.match = matching  # type: ignore[assignment]
    runner.run()
    assert port.answers == [[1, 1, "a"], [2, 500, b"", None], [3, 1, "c"]]


def test_a_single_answer_that_cannot_be_encoded_is_a_500() -> None:
    assert msgspec.msgpack.decode(encoded((7, 1, "a"))) == [[7, 1, "a"]]
    assert msgspec.msgpack.decode(encoded((7, 200, b"", object()))) == [[7, 500, b"", None]]


def test_the_slow_way_with_an_access_log_gives_the_same_answers(host: ScriptedHost) -> None:
    host.access_log = True
    port = run(host, (0, batch("/a", "/crash", "/b")))
    assert [(answer[0], answer[1]) for answer in port.answers] == [(1, 1), (2, 500), (3, 1)]


def test_a_runner_that_waits_keeps_no_request(host: Any) -> None:
    port = ScriptedPort((0, batch("/a")))
    runner = Runner(host, port)  # type: ignore[arg-type]
    runner.run()
    assert port.answers == [[1, 1, "a"]]
    assert runner.turn.request is None
