"""The server as an actor: pykka's refs and proxies work on it, and its messages are handled by whoever polls."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pykka
import pytest
from pykka._envelope import Envelope

from tinybeam import Request, Router
from tinybeam.config import Config
from tinybeam.server import RunningServer, Server

if TYPE_CHECKING:
    from tests.conftest import Gate, RawConn

    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]
    Until = Callable[[Callable[[], object]], None]

pytestmark = pytest.mark.usefixtures("no_faults")


def make_app() -> Router:
    router = Router()
    router.get("/")(lambda request: "pong")
    return router


def is_served(conn: RawConn) -> bool:
    conn.get("/")
    return conn.reply().body == b"pong"


class Rude(Server):
    """A server that answers messages, and raises those that are exceptions."""

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return "heard", message, threading.current_thread().name


@pytest.fixture
def rude() -> Iterator[Rude]:
    server = Rude.launch(make_app().compile(), Config(port=0))
    yield server
    server.halt()


def test_a_proxy_reads_its_attributes_and_calls_its_methods(serving: Serving) -> None:
    running = serving(make_app())
    proxy = running.ref.proxy()
    assert proxy.port.get() == running.port
    assert proxy.stats().get()["connections_open"] == 0


def test_a_message_is_answered_by_the_thread_that_polls(rude: Rude) -> None:
    heard, message, thread = rude.actor_ref.ask({"any": "thing"})
    assert (heard, message) == ("heard", {"any": "thing"})
    assert thread.startswith("tinybeam-runner-")


def test_a_message_that_it_does_not_know_is_logged_and_answered_with_none(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    running = serving(make_app())
    assert running.ref.ask("who are you?") is None
    assert "who are you?" in caplog.text
    assert is_served(connect(running.url))


def test_messages_are_handled_while_requests_flow(rude: Rude, connect: Connect) -> None:
    over = threading.Event()
    url = f"http://127.0.0.1:{rude.port}"
    served = [0, 0]

    def flow(index: int) -> None:
        conn = connect(url)
        while not over.is_set():
            served[index] += is_served(conn)

    threads = [threading.Thread(target=flow, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert [rude.actor_ref.ask(n)[1] for n in range(500)] == list(range(500))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert all(served)


def test_messages_of_one_sender_are_handled_in_order(rude: Rude) -> None:
    handled: list[int] = []
    rude.on_receive = handled.append  # type: ignore[method-assign]
    for n in range(1000):
        rude.actor_ref.tell(n)
    rude.actor_ref.ask(1000)
    assert handled == list(range(1001))


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_a_message_raises_is_raised_in_the_asker_and_stops_nothing(
    error: BaseException, rude: Rude, connect: Connect
) -> None:
    bystander = Bystander.start()
    try:
        with pytest.raises(type(error)):
            rude.actor_ref.ask(error)
        assert rude.actor_ref.is_alive()
        assert bystander.ask("alive?") == "alive"
        assert is_served(connect(f"http://127.0.0.1:{rude.port}"))
    finally:
        bystander.stop()


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3)])
def test_what_a_message_raises_that_nobody_waits_for_is_logged_and_stops_nothing(
    error: BaseException, rude: Rude, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    rude.actor_ref.tell(error)
    assert rude.actor_ref.ask("next")[1] == "next"
    assert f"a message to the server raised {type(error).__name__}" in caplog.text
    assert is_served(connect(f"http://127.0.0.1:{rude.port}"))


class Bystander(pykka.ThreadingActor):
    """Another actor of the same process."""

    def on_receive(self, message: Any) -> str:
        return "alive"


def test_requests_that_come_with_a_message_that_blocks_are_all_answered(
    serving: Serving, connect: Connect, gate: Gate
) -> None:
    """The message's runner loses its scheduler before it has run the requests of the same batch.

    With two requests in a batch, the third and fourth come by the poll that also brings the first one's message.
    """
    router = make_app()

    @router.get("/{n:int}")
    def number(request: Request, n: int) -> str:
        if n == 0:
            running.ref.tell("block")
        return str(n)

    class Blocker(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            gate.wait()

    # pykka logs a message that the server does not know; so that is where this one blocks.
    blocker = Blocker()
    running = serving(router, batch_requests_max=2, takeover_ms=20)
    logging.getLogger("pykka").addHandler(blocker)
    try:
        conn, other = connect(running.url), connect(running.url)
        conn.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: t\r\n\r\n" % n for n in range(8)))
        gate.reached()
        assert is_served(other)
        gate.open()
        assert [conn.reply().body for _ in range(8)] == [b"%d" % n for n in range(8)]
    finally:
        logging.getLogger("pykka").removeHandler(blocker)


# Stopping.


def test_its_ref_stops_it_once(serving: Serving, connect: Connect) -> None:
    running = serving(make_app())
    conn = connect(running.url)
    assert is_served(conn)
    assert running.ref.stop() is True
    assert conn.rest() == b""
    assert not running.ref.is_alive()
    assert running.ref.stop() is False
    with pytest.raises(ConnectionRefusedError):
        connect(running.url)


def test_a_message_after_the_stop_meets_a_dead_actor(serving: Serving) -> None:
    running = serving(make_app())
    running.ref.stop()
    with pytest.raises(pykka.ActorDeadError):
        running.ref.ask("hello")
    with pytest.raises(pykka.ActorDeadError):
        running.ref.tell("hello")


def test_messages_that_wait_at_a_stop_are_refused(serving: Serving, connect: Connect, gate: Gate) -> None:
    """Every runner is blocked, so nobody handles them; nobody may wait for ever for an answer either."""
    router = make_app()

    @router.get("/{n:int}", blocking=False)
    def block(request: Request, n: int) -> str:
        gate.wait()
        return "done"

    running = serving(router, threads=1)
    for n in range(2):
        connect(running.url).get(f"/{n}")
    gate.reached(2)
    asked = running.ref.ask("hello", block=False)
    stopped = running.ref.stop(block=False)
    running.stop()
    with pytest.raises(pykka.ActorDeadError):
        asked.get()
    assert stopped.get() is True


def test_a_message_that_meets_the_stop_is_refused(serving: Serving) -> None:
    """A sender may have seen it alive, and put the message when it has stopped; pykka has no lock against that."""
    running = serving(make_app())
    running.stop()
    future = pykka.ThreadingFuture()
    running.ref.actor_inbox.put(Envelope("hello", reply_to=future))
    with pytest.raises(pykka.ActorDeadError):
        future.get(timeout=30)


def test_it_leaves_nothing_in_the_registry_of_actors(serving: Serving) -> None:
    before = pykka.ActorRegistry.get_all()
    running = serving(make_app())
    assert len(pykka.ActorRegistry.get_all()) == len(before) + 1
    running.stop()
    assert pykka.ActorRegistry.get_all() == before


def test_stopping_all_actors_stops_it(serving: Serving) -> None:
    running = serving(make_app())
    assert pykka.ActorRegistry.stop_all()
    running.wait()
    assert not running.ref.is_alive()


def test_started_as_other_actors_are_it_lives_without_anybody_who_holds_it(connect: Connect) -> None:
    """A ref holds an actor only weakly."""
    ref = Server.start(make_app().compile(), Config(port=0))
    try:
        gc.collect()
        assert is_served(connect(f"http://127.0.0.1:{ref.proxy().port.get()}"))
    finally:
        assert ref.stop()


def test_a_stopped_server_is_forgotten_with_its_threads_and_sockets(serving: Serving, until: Until) -> None:
    before = threading.active_count()
    for _ in range(20):
        serving(make_app()).stop()
    until(lambda: threading.active_count() <= before)


def test_a_start_that_fails_leaves_nothing(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pykka.ActorRegistry.get_all()
    made: list[Server] = []
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("tinybeam-runner"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    listen = Server._listen
    monkeypatch.setattr(Server, "_listen", lambda self, *args: (made.append(self), listen(self, *args))[1])
    with pytest.raises(OSError, match="no thread left"):
        Server.launch(make_app().compile(), Config(port=0))
    assert pykka.ActorRegistry.get_all() == before
    with pytest.raises(ConnectionRefusedError):
        connect(f"http://127.0.0.1:{made[0].port}")
