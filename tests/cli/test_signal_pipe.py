"""Signals as octets in a pipe."""

from __future__ import annotations

import os
import signal
import threading

from tests.conftest import PATIENCE_S
from tinybeam.cli.signal_pipe import SignalPipe


def test_a_signal_is_its_number_and_an_octet_is_itself() -> None:
    with SignalPipe([signal.SIGUSR1]) as pipe:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert pipe.read(PATIENCE_S) == bytes([signal.SIGUSR1])
        pipe.write(0)
        assert pipe.read() == b"\0"


def test_nothing_comes_when_nothing_has_happened() -> None:
    with SignalPipe([signal.SIGUSR1]) as pipe:
        assert pipe.read(0) == b""


def test_another_thread_wakes_the_main_thread() -> None:
    with SignalPipe([signal.SIGUSR1]) as pipe:
        writer = threading.Thread(target=pipe.write, args=(7,))
        writer.start()
        assert pipe.read() == b"\7"
        writer.join()


def test_the_handlers_are_put_back_but_for_what_was_left_to_the_kernel() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)]
    try:
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        with SignalPipe([signal.SIGUSR1, signal.SIGUSR2]) as pipe:
            assert signal.getsignal(signal.SIGUSR1) is not before[0]
            pipe.leave_to_the_kernel(signal.SIGUSR2)
            assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGUSR1) is before[0]
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR2, before[1])
