"""What can go wrong between C and Python, each with the test that shows that it does not."""

# The hazards of a C engine behind ctypes, and their tests; those without a file are in this one.
#
#  1 use after respond             test_handles_in_any_order_answer_their_own_request_and_once; handle_test.c (1e5)
#  2 double respond                test_two_threads_with_one_handle_give_the_client_one_response;
#                                  handle_threads_test.c (1e5 rounds), engine_threads_test.c (on the wire)
#  3 the client left first         tests/server/test_engine.py (reset), engine_test.c, conn_test.c
#  4 slot used by the next request test_the_handle_of_a_request_that_was_left_does_not_answer_the_next_in_its_slot
#  5 ABA, generation wrap          handle_test.c (1e7 cycles over four slots; a slot that is used up is retired)
#  6 forged handles                handle_test.c (1e6), tests/server/test_engine.py
#  7 another engine's, after close tests/server/test_engine.py, engine_test.c
#  8 nobody answers                test_a_handler_that_fails_in_any_way_is_answered, test_a_runner_that_forfeits_...
#  9 finalisers on any thread      test_a_garbage_collection_at_every_step_disturbs_nothing
# 10 callback is collected         tests/test_house.py (there is no callback)
# 11 exit with requests in flight  test_the_process_ends_with_its_own_exit_code (TINYBEAM_STRESS_EXITS=500 for all)
# 12 GIL deadlock                  tests/test_house.py (no PyDLL), test_sixteen_threads_call_at_once,
#                                  engine_threads_test.c
# 13 poll cannot be interrupted    test_a_sigint_ends_a_poll_on_the_main_thread
# 14 prototypes, 15 layout         tests/test_native.py
# 16 NUL, 17 mutation, 18 lengths  tests/server/test_engine.py, answer_test.c, term_test.c, engine_test.c
# 19 fork                          the tests named ..._fork... and ..._child... here and in tests/server/test_engine.py,
#                                  engine_test.c, conn_test.c, acceptor_test.c
# 24 shutdown races                engine_threads_test.c (TINYBEAM_STRESS_S goes on for so many seconds)
# 25 free while inside             engine_threads_test.c (eight closers), test_a_close_while_others_call_is_one_close
# 26 thread leak                   test_starting_and_stopping_leaves_nothing_behind

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pykka
import pytest

from tinybeam import Request, Router, native
from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.http import KIND_TEXT
from tinybeam.server import RunningServer, serve
from tinybeam.server.engine import Engine

EXIT_RUNS = int(os.environ.get("TINYBEAM_STRESS_EXITS", "50"))
CYCLES = int(os.environ.get("TINYBEAM_STRESS_CYCLES", "1000"))
# A sixteenth of the 1e5 calls that the hazard asks for: the same races in a tenth of a minute.
CALLS_EACH = int(os.environ.get("TINYBEAM_STRESS_CALLS", "6250"))
FORKS = int(os.environ.get("TINYBEAM_STRESS_FORKS", "100"))

PATIENCE_S = 30
LENGTH_MASK = 0xFFFF_FFFF
decode = msgspec.msgpack.Decoder(list[Request]).decode
encode = msgspec.msgpack.encode


class EngineRig:
    """An engine that listens, one port of it, and its clients."""

    def __init__(self, **settings: Any) -> None:
        self.engine = Engine(Config(**settings))
        self.address = ("127.0.0.1", self.engine.listen("127.0.0.1", 0, 64))
        self.port = self.engine.open_port()
        self.clients: list[socket.socket] = []

    def connect(self) -> socket.socket:
        self.clients.append(socket.create_connection(self.address, PATIENCE_S))
        return self.clients[-1]

    def requests(self, count: int) -> list[Request]:
        """Polls until so many requests have come."""
        found: list[Request] = []
        while len(found) < count:
            if length := self.port.poll(b"") & LENGTH_MASK:
                found += decode(self.port.view[:length])
        return found

    def flush(self) -> None:
        self.engine.wake()
        self.port.poll(b"")

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.engine.close()


@pytest.fixture
def rig() -> Iterator[EngineRig]:
    made = EngineRig()
    yield made
    made.close()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


def receive_bodies(client: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many responses."""
    octets, bodies = b"", []
    while len(bodies) < count:
        head, separator, rest = octets.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]) if separator else 0
        if not separator or len(rest) < length:
            more = client.recv(65536)
            assert more, f"the connection ended after {octets!r}"
            octets += more
            continue
        bodies.append(rest[:length])
        octets = rest[length:]
    assert octets == b""
    return bodies


# 1, 2 and 4: handles.


def test_handles_in_any_order_answer_their_own_request_and_once(rig: EngineRig) -> None:
    chance = random.Random(42)
    client = rig.connect()
    spent: list[int] = []
    for round_ in range(200):
        paths = [f"/{round_}-{i}" for i in range(10)]
        client.sendall(b"".join(map(get, paths)))
        requests = rig.requests(10)
        chance.shuffle(requests)
        for request in requests:
            if spent:
                stale = encode([(chance.choice(spent), KIND_TEXT, "stale")])
                assert rig.engine.respond(stale) == native.EALREADY
            assert rig.engine.respond(encode([(request.handle, KIND_TEXT, request.path_raw)])) == native.OK
            spent.append(request.handle)
        rig.flush()
        assert receive_bodies(client, 10) == [path.encode() for path in paths]
        assert (requests[0].body, requests[0].headers["host"]) == (b"", "t")  # a spent request is still a value


def test_two_threads_with_one_handle_give_the_client_one_response(rig: EngineRig) -> None:
    rounds = 500
    client = rig.connect()
    barrier = threading.Barrier(3)
    codes: list[int] = []
    current: list[bytes] = [b""]

    def answer() -> None:
        for _ in range(rounds):
            barrier.wait()
            codes.append(rig.engine.respond(current[0]))
            barrier.wait()

    threads = [threading.Thread(target=answer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(rounds):
        client.sendall(get("/"))
        (request,) = rig.requests(1)
        current[0] = encode([(request.handle, KIND_TEXT, "once")])
        barrier.wait()
        barrier.wait()
        rig.flush()
        assert receive_bodies(client, 1) == [b"once"]
    for thread in threads:
        thread.join()
    assert sorted(codes) == [native.EALREADY] * rounds + [native.OK] * rounds


def test_the_handle_of_a_request_that_was_left_does_not_answer_the_next_in_its_slot() -> None:
    rig = EngineRig(handles_max=1)
    first = rig.connect()
    first.sendall(get("/one"))
    (one,) = rig.requests(1)
    assert rig.engine.respond(encode([(one.handle, KIND_TEXT, "one")])) == native.OK
    rig.flush()
    first.sendall(get("/two"))
    (two,) = rig.requests(1)
    assert one.handle != two.handle
    assert rig.engine.respond(encode([(one.handle, KIND_TEXT, "wrong")])) == native.EALREADY
    assert rig.engine.respond(encode([(two.handle, KIND_TEXT, "two")])) == native.OK
    rig.flush()
    assert receive_bodies(first, 2) == [b"one", b"two"]
    rig.close()


# 8 and 9: who owes the answer. A request has no finaliser: the runner that was handed it answers, whatever comes.


class Unencodable:
    """A value that no answer can carry."""


class Cycle:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.itself = self


def failing_app() -> Router:
    router = Router()

    @router.get("/drops")
    def drops(request: Request) -> None:
        del request
        gc.collect()

    @router.get("/cycle")
    def cycle(request: Request) -> str:
        Cycle(request)
        return "cycle"

    @router.get("/raises/{name}")
    def raises(request: Request, name: str) -> None:
        raise {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "base": BaseException(), "error": ValueError()}[
            name
        ]

    @router.get("/unencodable")
    def unencodable(request: Request) -> object:
        return Unencodable()

    @router.get("/surrogate")
    def surrogate(request: Request) -> str:
        return "\ud800"

    @router.get("/status")
    def status(request: Request) -> tuple[int, str]:
        return 99_999, "no such status"

    router.get("/good")(lambda request: "good")
    return router


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/drops", 204),
        ("/cycle", 200),
        ("/raises/exit", 500),
        ("/raises/interrupt", 500),
        ("/raises/base", 500),
        ("/raises/error", 500),
        ("/unencodable", 500),
        ("/surrogate", 500),
        ("/status", 500),
    ],
)
@pytest.mark.usefixtures("no_faults")
def test_a_handler_that_fails_in_any_way_is_answered(
    serving: Callable[..., RunningServer], connect: Callable[[str], Any], path: str, status: int
) -> None:
    running = serving(failing_app())
    conn = connect(running.url)
    conn.send(get("/good") + get(path) + get("/good"))
    assert [conn.reply().status for _ in range(3)] == [200, status, 200]
    assert running.stats()["answers_refused"] == 0


def test_a_runner_that_forfeits_answers_500_to_the_rest_of_its_batch(rig: EngineRig) -> None:
    client = rig.connect()
    client.sendall(get("/1") + get("/2") + get("/3"))
    requests = rig.requests(3)
    assert rig.engine.respond(encode([(requests[1].handle, KIND_TEXT, "answered")])) == native.OK
    rig.port.forfeit()
    rig.flush()
    assert receive_bodies(client, 3) == [b"", b"answered", b""]
    assert rig.engine.stats()["handles_open"] == 0


@pytest.mark.usefixtures("no_faults")
def test_a_garbage_collection_at_every_step_disturbs_nothing(
    serving: Callable[..., RunningServer], connect: Callable[[str], Any]
) -> None:
    running = serving(failing_app())
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        conns = [connect(running.url) for _ in range(8)]
        for _ in range(25):
            for conn in conns:
                conn.send(get("/cycle") * 8)
            for conn in conns:
                assert [conn.reply().body for _ in range(8)] == [b"cycle"] * 8
    finally:
        gc.set_threshold(*before)
    stats = running.stats()
    assert (stats["handles_open"], stats["answers_refused"]) == (0, 0)


# 11 and 13: exits and signals.

EXITING = """
import contextlib, os, socket, sys, threading
from tinybeam import Router
from tinybeam.config import Config
from tinybeam.server import serve

router = Router()
inside = threading.Semaphore(0)
forever = threading.Event()

@router.get("/blocks", blocking=True)
def blocks(request):
    inside.release()
    forever.wait()

@router.get("/quick")
def quick(request):
    return "quick"

running = serve(router, Config(port=0, threads=4))
clients = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(8)]
for client in clients:
    client.sendall(b"GET /blocks HTTP/1.1\\r\\nHost: t\\r\\n\\r\\n")
    client.sendall(b"GET /quick HTTP/1.1\\r\\nHost: t\\r\\n\\r\\n" * 8)
for _ in range(4):
    inside.acquire()

def hammer():
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", running.port)) as client:
        while True:
            client.sendall(b"GET /quick HTTP/1.1\\r\\nHost: t\\r\\n\\r\\n")
            client.recv(4096)

threading.Thread(target=hammer, daemon=True).start()
ending = sys.argv[1]
if ending == "exit":
    sys.exit(7)
elif ending == "os._exit":
    os._exit(7)
elif ending == "raise":
    raise RuntimeError("uncaught")
elif ending == "stop":
    running.stop()
    sys.exit(7)
"""
ENDINGS = {"exit": 7, "os._exit": 7, "raise": 1, "stop": 7, "end": 0}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_process_ends_with_its_own_exit_code(ending: str, tmp_path: Path) -> None:
    program = tmp_path / "exiting.py"
    program.write_text(EXITING)
    for _ in range(-(-EXIT_RUNS // len(ENDINGS))):
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", program, ending], capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert done.returncode == ENDINGS[ending], done.stderr
        assert ("uncaught" in done.stderr) is (ending == "raise")
        assert ending == "raise" or done.stderr == ""


def test_a_sigint_ends_a_poll_on_the_main_thread(rig: EngineRig) -> None:
    assert threading.current_thread() is threading.main_thread()
    before = signal.set_wakeup_fd(rig.engine.wakeup_fd)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    # By another thread, so that it may come before the poll, or while it waits.
    killer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            killer.start()
            while True:
                rig.port.poll(b"")
    finally:
        killer.join()
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(before)
    client = rig.connect()
    client.sendall(get("/after"))
    assert rig.requests(1)[0].path_raw == "/after"


# 12 and 25: many threads.


def test_sixteen_threads_call_at_once(rig: EngineRig) -> None:
    """All calls let go of the GIL and none waits for it; `faulthandler_timeout` shows the threads were one to hang."""
    failures: list[object] = []
    handles = iter(range(1 << 62))
    done = threading.Event()

    def call() -> None:
        try:
            for i in range(CALLS_EACH):
                if i % 4 == 0:
                    rig.engine.stats()
                elif i % 4 == 1:
                    rig.engine.wake()
                else:
                    code = rig.engine.respond(encode([(next(handles), KIND_TEXT, "forged")]))
                    assert code in (native.EBADHANDLE, native.EALREADY)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    def poll() -> None:
        while not done.is_set():
            rig.port.poll(b"")

    polling = threading.Thread(target=poll)
    polling.start()
    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    rig.engine.wake()
    polling.join()
    assert failures == []


def test_a_close_while_others_call_is_one_close() -> None:
    for _ in range(50):
        rig = EngineRig()
        barrier = threading.Barrier(8)
        closed: list[bool] = []

        def work(rig: EngineRig = rig, barrier: threading.Barrier = barrier, closed: list[bool] = closed) -> None:
            barrier.wait()
            closed.append(rig.engine.close())
            rig.engine.wake()
            rig.engine.respond(b"\x90")
            with pytest.raises(NativeError):
                rig.engine.stats()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(closed) == [False] * 7 + [True]


# 19: fork.


class Load:
    """Clients that ask one thing after the other until they are told to stop, and count what went wrong."""

    def __init__(self, url: str, clients: int = 4) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.address = (host, int(port))
        self.stop = threading.Event()
        self.errors: list[object] = []
        self.answered = 0
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        try:
            while not self.stop.is_set():
                with socket.create_connection(self.address, PATIENCE_S) as client:
                    for i in range(50):
                        client.sendall(get(f"/echo/{number}-{i}"))
                        assert receive_bodies(client, 1) == [f"{number}-{i}".encode()]
                        self.answered += 1
        except BaseException as error:  # noqa: BLE001
            self.errors.append(error)

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()


def echo_app() -> Router:
    router = Router()

    @router.get("/echo/{what}")
    def echo(request: Request, what: str) -> str:
        return what

    return router


@pytest.fixture
def load(serving: Callable[..., RunningServer]) -> Iterator[Load]:
    made = Load(serving(echo_app()).url)
    yield made
    made.close()


def descriptors(kind: str) -> list[int]:
    """The descriptors of this process whose name in /proc holds this text."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that listdir itself had open
            if kind in os.readlink(f"/proc/self/fd/{name}"):
                found.append(int(name))
    return found


def server_sockets(address: tuple[str, int]) -> list[int]:
    """The descriptors of this process that are the server's end of a connection, or its listener."""
    found = []
    for fd in descriptors("socket:"):
        with socket.socket(fileno=os.dup(fd)) as duplicate:
            if duplicate.getsockname() == address:
                found.append(fd)
    return found


def event_descriptors() -> list[int]:
    """The descriptors of this process that are poll sets and event counters: what an engine has, and Python has not."""
    return descriptors("eventpoll") + descriptors("eventfd")


def fork_and_check(check: Callable[[], int]) -> int:
    """The exit code of a forked child that runs this."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = check()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_forks_at_any_moment_disturb_no_client_and_leave_no_poll_set_in_the_child(load: Load) -> None:
    chance = random.Random(1)
    leaked = 0
    for _ in range(FORKS):
        for _ in range(chance.randrange(2000)):
            pass  # a moment more or less; there is nothing to wait for
        assert not load.errors
        code = fork_and_check(lambda: 1 if event_descriptors() else 2 if server_sockets(load.address) else 0)
        assert code in (0, 2)
        leaked += code == 2
    load.close()
    assert load.errors == []
    assert load.answered > 0
    assert leaked == 0


def test_a_child_holds_no_socket_of_the_server_and_its_calls_are_refused(
    serving: Callable[..., RunningServer], connect: Callable[[str], Any]
) -> None:
    running = serving(echo_app())
    conns = [connect(running.url) for _ in range(5)]
    for conn in conns:
        conn.get("/echo/a")
        assert conn.reply().body == b"a"
    address = conns[0].sock.getpeername()
    assert len(server_sockets(address)) == 6

    def check() -> int:
        engine = running._server.engine
        try:
            engine.stats()
        except NativeError as error:
            if error.code != native.EFORKED:
                return 3
        if engine.respond(b"\x90") != native.EFORKED or engine.close():
            return 4
        return 1 if event_descriptors() else 2 if server_sockets(address) else 0

    assert fork_and_check(check) == 0
    for conn in conns:
        conn.get("/echo/b")
        assert conn.reply().body == b"b"


def test_a_connection_that_the_parent_closes_is_closed_though_a_child_lives(
    serving: Callable[..., RunningServer], connect: Callable[[str], Any]
) -> None:
    running = serving(echo_app())
    conn = connect(running.url)
    conn.get("/echo/a")
    conn.reply()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        conn.sock.close()  # the client's end is ours too
        os.read(reading, 1)  # lives until the parent lets it go
        os._exit(0)
    os.close(reading)
    conn.get("/echo/last", extra="Connection: close\r\n")
    assert conn.rest().endswith(b"last")
    os.close(writing)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_multiprocessing_child_that_forks_can_work_and_end(load: Load) -> None:
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map(abs, range(-50, 0)) == list(range(50, 0, -1))
    load.close()
    assert load.errors == []


def test_a_program_that_is_started_sees_no_descriptor_of_the_server(load: Load) -> None:
    list_open = (
        "import os\nfor fd in range(100):\n    try: print(os.readlink(f'/proc/self/fd/{fd}'))\n    except OSError: pass"
    )
    for _ in range(10):
        command = [sys.executable, "-S", "-c", list_open]
        started = subprocess.run(command, capture_output=True, text=True, check=True, close_fds=False)
        assert "pipe:" in started.stdout  # its own output
        assert "eventpoll" not in started.stdout
        assert "eventfd" not in started.stdout
        assert "socket:" not in started.stdout
    load.close()
    assert load.errors == []


# 26: what is left behind.


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def footprint() -> tuple[int, int, int]:
    """Threads, descriptors and actors of this process."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), len(pykka.ActorRegistry.get_all())


def start_ask_and_stop() -> None:
    running = serve(echo_app(), Config(port=0))
    with socket.create_connection(("127.0.0.1", running.port), PATIENCE_S) as client:
        client.sendall(get("/echo/a") * 2)
        assert receive_bodies(client, 2) == [b"a", b"a"]
        running.stop()


def test_starting_and_stopping_leaves_nothing_behind(until: Callable[[Callable[[], object]], None]) -> None:
    for _ in range(20):  # what is allocated once and kept
        start_ask_and_stop()
    gc.collect()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("tinybeam")])
    before, resident = footprint(), resident_bytes()
    for _ in range(CYCLES):
        start_ask_and_stop()
    gc.collect()
    # A runner's thread may be on its way out when `stop` has returned.
    until(lambda: footprint() == before)
    # A leaked engine would be at least its scratches, 192 KiB; what Python itself keeps is less than 16 KiB a cycle.
    assert resident_bytes() - resident < CYCLES * 16 * 1024 + (8 << 20)
