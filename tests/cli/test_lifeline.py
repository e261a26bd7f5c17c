"""The end of the line that a server holds: what it does when the parent lets go."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.conftest import PATIENCE_S
from tinybeam.cli.lifeline import Lifeline


class Line:
    """A lifeline, the parent's end of it, and what came of it."""

    def __init__(self) -> None:
        self.parent, server = socket.socketpair()
        self.parent.settimeout(PATIENCE_S)
        self.fd = server.detach()
        self.terms = threading.Semaphore(0)
        self.last_resorts: list[float] = []
        signal.signal(signal.SIGTERM, lambda number, frame: self.terms.release())
        before = set(threading.enumerate())
        self.lifeline = Lifeline(self.fd, 7.5)
        self.socket = self.lifeline._socket
        (self.thread,) = set(threading.enumerate()) - before


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    last_resorts: list[float] = []
    monkeypatch.setattr("faulthandler.dump_traceback_later", lambda timeout, **_: last_resorts.append(timeout))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    line = Line()
    line.last_resorts = last_resorts
    yield line
    line.parent.close()
    line.thread.join(PATIENCE_S)
    assert not line.thread.is_alive()
    line.socket.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_parents_end_is_a_term_and_a_last_resort(line: Line) -> None:
    assert line.last_resorts == []
    line.parent.close()
    assert line.terms.acquire(timeout=PATIENCE_S)
    assert line.last_resorts == [7.5]


def test_letting_go_of_one_direction_is_enough(line: Line) -> None:
    line.parent.shutdown(socket.SHUT_WR)
    assert line.terms.acquire(timeout=PATIENCE_S)
    line.lifeline.tell_port(1234)
    assert line.parent.recv(64) == b"1234"


def test_a_reset_is_an_end_too(line: Line) -> None:
    line.lifeline.tell_port(1)
    line.parent.close()  # with the port unread
    assert line.terms.acquire(timeout=PATIENCE_S)


def test_a_server_that_has_stopped_is_not_told_to(line: Line) -> None:
    line.lifeline.server_stopped()
    line.parent.close()
    line.thread.join(PATIENCE_S)
    assert line.last_resorts == [7.5]
    assert not line.terms.acquire(blocking=False)


def test_a_unix_socket_has_no_port(line: Line) -> None:
    line.lifeline.tell_port(None)
    assert line.parent.recv(64) == b"0"


def test_a_port_that_no_parent_hears_is_no_error(line: Line) -> None:
    line.parent.close()
    line.lifeline.tell_port(1234)


def test_what_the_server_starts_does_not_hold_the_line(line: Line) -> None:
    assert not os.get_inheritable(line.fd)


def test_int_is_the_kernels_and_no_longer_blocked(line: Line) -> None:
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
