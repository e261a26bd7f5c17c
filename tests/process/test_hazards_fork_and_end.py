"""Forks, and the end of Python: each test runs a Python of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

PATIENCE_S = 30


def _python(code: str, *, expect: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 4,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done.stdout + done.stderr


BUSY = """
    import threading
    from tinybeam.process import GenServer, self_ref, send_after, receive, monitor
    class Busy(GenServer):
        def handle_cast(self, message, state):
            me.send("in")
            if message == "block": threading.Event().wait()
            if message == "receive": receive()
            while message == "spin": pass
            while True: self.actor_ref.cast("flood"); return state
    me = self_ref()
    for message in ("block", "spin", "flood", "receive"):
        one = Busy.start(name=message)
        monitor(one)
        one.cast(message)
        receive(30, want=lambda message: message == "in")
    send_after(me, "later", 3_600_000)
    send_after(me, "soon", 1)
"""


@pytest.mark.parametrize(
    ("how", "code"), [("", 0), ("raise SystemExit(3)", 3), ("import os; os._exit(4)", 4), ("1 // 0", 1)]
)
def test_python_ends_though_processes_are_busy(how: str, code: int) -> None:
    output = _python(BUSY + "    " + how, expect=code)
    assert "Exception ignored" not in output
    assert "Fatal" not in output


def test_a_thread_that_was_a_guest_ends_with_python() -> None:
    output = _python(
        """
        import threading
        from tinybeam.process import self_ref, receive
        ready = threading.Event()
        def run():
            self_ref(); ready.set(); receive()
        threading.Thread(target=run, daemon=True).start()
        ready.wait()
        """
    )
    assert output == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_of_a_fork_can_start_and_use_processes() -> None:
    output = _python(
        """
        import os, sys, threading
        from tinybeam.process import GenServer, self_ref, receive, send_after
        class Echo(GenServer):
            def handle_call(self, message, from_, state): return message, state
            def handle_cast(self, to, state): to.send("cast"); return state
        me, old = self_ref(), Echo.start()
        old.cast(me); assert receive(30) == "cast"
        if os.fork() == 0:
            new = Echo.start()
            assert new.call(1) == 1
            assert new.call(2, 0.9) == 2
            new.cast(me); assert receive(30) == "cast"
            send_after(me, "tick", 1); assert receive(30) == "tick"
            assert old.call(3) == 3 and old.call(4, 0.9) == 4
            old.cast(me); assert receive(30) == "cast"
            assert new.stop() and old.stop()
            sys.stdout.write("child is well\\n"); sys.stdout.flush()
            os._exit(0)
        assert os.wait()[1] == 0
        assert old.call(5) == 5
        """
    )
    assert output == "child is well\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_of_a_fork_does_not_hang_on_what_the_parent_was_doing() -> None:
    output = _python(
        """
        import os, sys, threading
        from tinybeam.process import GenServer, CallTimeout, ProcessExited, self_ref, receive
        go = threading.Event()
        class Held(GenServer):
            def handle_cast(self, to, state): to.send("in"); go.wait(); return state
            def handle_call(self, message, from_, state): return message, state
        me, held = self_ref(), Held.start()
        held.cast(me); receive(30)
        if os.fork() == 0:
            try: held.call("x", 0.5)
            except (CallTimeout, ProcessExited) as error: sys.stdout.write("told\\n"); sys.stdout.flush()
            os._exit(0)
        assert os.wait()[1] == 0
        go.set()
        assert held.call("y") == "y"
        """
    )
    assert output == "told\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_import_starts_no_thread_and_a_child_of_a_fork_has_only_the_one_that_forked() -> None:
    output = _python(
        """
        import os, threading
        from tinybeam.process import Task
        import tinybeam.server
        print([thread.name for thread in threading.enumerate()])
        Task.await_(Task.async_(pow, 2, 3))  # from here on there are others
        if os.fork() == 0:
            os._exit(threading.active_count())
        print(os.waitstatus_to_exitcode(os.wait()[1]))
        """
    )
    assert output == "['MainThread']\n1\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_of_a_fork_does_not_end_the_guests_of_threads_that_it_has_not() -> None:
    # It would begin with a lock that nobody is there to let go of.
    output = _python(
        """
        import os, threading
        from tinybeam.process import bonds, monitor, receive, self_ref
        here, go = threading.Barrier(3), threading.Event()
        guests = []
        def be_a_guest():
            guests.append(self_ref())
            here.wait(); go.wait()
        def hold():
            with bonds.lock:
                here.wait(); go.wait()
        threads = [threading.Thread(target=target) for target in (be_a_guest, hold)]
        threads[0].start()
        while not guests: pass
        monitor(guests[0])
        threads[1].start()
        here.wait()
        if os.fork() == 0:
            os._exit(3)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
        go.set()
        print(receive(30).reason)
        """
    )
    assert output == "3\nnormal\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_guest_that_forks_ends_with_its_thread_in_the_child_too() -> None:
    output = _python(
        """
        import os, threading
        from tinybeam.process import monitor, receive, self_ref
        def fork():
            me = self_ref()
            if os.fork() == 0:
                watcher = threading.Thread(target=watch, args=(me,))
                watcher.start()
                started.wait()
        started = threading.Event()
        def watch(ref):
            monitor(ref)
            started.set()
            os.write(1, f"child: {receive(30).reason}\\n".encode())
        forker = threading.Thread(target=fork)
        forker.start(); forker.join()
        os.wait()
        print("parent")
        """
    )
    assert output == "child: normal\nparent\n"
