"""Calls that cannot be run at once: what waits for an answer, and for how long.

Owns:  the ways of a call that is not the quick one.
Knows: that who waits in a runner's thread has to let its ready queue go first; whose call waits for whom.
Never: waits for the process whose code this is.
"""

from __future__ import annotations

import sys
import threading
from time import monotonic
from typing import Any, Final

import pykka

from tinybeam.process import bonds, ending
from tinybeam.process.answer import PENDING, From, LoopFrom
from tinybeam.process.errors import CallTimeout, NoProcess
from tinybeam.process.here import Here, local
from tinybeam.process.messages import CALL, Entry

# How many messages a caller handles for somebody else, to come to its own.
_HELP_MAX = 1000
# A call that took longer was not worth the haste; so many after it are run elsewhere, where their timeouts count.
SLOW_S: Final = 0.1
ELSEWHERE_AFTER_SLOW: Final = 32
# So many processes inside one another in one thread; Python's stack allows some hundred.
DEPTH_MAX = 64


def call_elsewhere(ref: Any, message: Any, timeout: float | None) -> Any:
    """Puts the call in the mailbox, and waits for the answer."""
    process, caller = ref._process, local.here.process
    if process is None:
        raise NoProcess(f"{ref} had ended")
    if caller is process:
        raise CallTimeout(f"{ref} calls itself, and would wait for ever")
    if process._elsewhere > 0:
        process._elsewhere -= 1
    process._admit(CALL)
    from_ = From()
    from_.caller = caller
    if not bonds.expect(process, from_):
        raise NoProcess(f"{ref} had ended")
    process._post((CALL, message, from_))
    return wait_for(ref, process, from_, timeout)


def call_behind(ref: Any, process: Any, message: Any, timeout: float | None) -> Any:
    """The process is idle, its run lock is ours, and something waits: handles that first, as far as it is not much."""
    here = local.here
    try:
        process._admit(CALL)
    except BaseException:
        process._leave()
        raise
    from_ = From()
    from_.caller = here.process
    bonds.expect(process, from_)
    process._box.append((CALL, message, from_))
    started = monotonic()
    _run_here(process, here)
    elapsed = monotonic() - started
    if process._dead:
        ending.refuse_rest(process)
    if elapsed > SLOW_S:
        process._elsewhere = ELSEWHERE_AFTER_SLOW
    return _late_or_waited_for(ref, process, from_, timeout, elapsed)


def _run_here(process: Any, here: Here) -> None:
    """Has an idle process, whose run lock is ours, handle what waits for it in this thread."""
    caller, here.process = here.process, process
    if caller is not None:
        caller._calls = process
    here.depth += 1
    process._turn(_HELP_MAX)
    here.depth -= 1
    here.process = caller
    if caller is not None:
        caller._calls = None
    process._leave()


def call_ended(ref: Any, process: Any, from_: Any, answer: Any, timeout: float | None, elapsed: float) -> Any:
    """A call that was run here has returned, and is not simply answered: it is late, or has to wait, or crashed."""
    if answer is not PENDING and process._dead:
        from_.refuse(ref, process._dead[0])  # it was killed meanwhile, and what it came to is dropped
    elif answer is not PENDING:
        from_.set(answer)
    elif not from_.answered and not bonds.expect(process, from_):
        from_.refuse(ref, process._dead[0])
    return _late_or_waited_for(ref, process, from_, timeout, elapsed)


def _late_or_waited_for(ref: Any, process: Any, from_: Any, timeout: float | None, elapsed: float) -> Any:
    """The answer of a process that was run here; it may still have to come."""
    if from_.failed:
        _pass_on_interrupt(process)
    elif timeout is not None and elapsed > timeout:
        bonds.settle(process, from_)
        raise CallTimeout(f"{ref} answered after {elapsed:.3g} s, and {timeout:g} s were allowed")
    return wait_for(ref, process, from_, None if timeout is None else timeout - elapsed)


def _pass_on_interrupt(process: Any) -> None:
    """Ctrl+C ends the process whose code it met, and then it goes to the main thread, for which it is meant."""
    reason = process._dead[0] if process._dead else None
    if isinstance(reason, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        raise reason


def crashed_deep(process: Any, error: BaseException, message: Any, from_: Any) -> None:
    """A callback has run out of stack, and so may its thread have: the rest of it, in another one."""
    ending.on_error(process, error, message, from_)
    process._leave()


def wait_for(ref: Any, process: Any, from_: Any, timeout: float | None) -> Any:
    """Waits for an answer, and gives it."""
    here = local.here
    caller = here.process
    if not from_.answered:
        if caller is not None:
            caller._calls = process
        try:
            if here.runner is not None:
                here.runner.let_go()
            if not from_.wait(timeout):
                bonds.settle(process, from_)
                raise CallTimeout(f"{ref} gave no answer within {timeout:g} s{_circle(process)}")
        finally:
            if caller is not None:
                caller._calls = None
    bonds.settle(process, from_)
    return from_.get()


def _circle(process: Any) -> str:
    """Whom the process waits for, as far as that can be seen; "" when it waits for nobody."""
    chain = [process]
    while (following := chain[-1]._calls) is not None:
        chain.append(following)
        if following in chain[:-1]:
            chain = chain[chain.index(following) :]
            return ": " + " -> ".join(str(one) for one in chain) + " wait for each other"
    return "" if len(chain) == 1 else ", for it waits itself: " + " -> ".join(str(one) for one in chain)


async def call_from_loop(ref: Any, message: Any, timeout: float | None) -> Any:
    """A call by code that runs in an event loop."""
    asyncio: Any = sys.modules["asyncio"]  # who awaits this has it
    loop = asyncio.get_running_loop()
    process = ref._process
    if process is None:
        raise NoProcess(f"{ref} had ended")
    process._admit(CALL)
    future = loop.create_future()
    from_ = LoopFrom(local.here.process, loop, future)
    if not bonds.expect(process, from_):
        raise NoProcess(f"{ref} had ended")
    process._post((CALL, message, from_))
    try:
        await asyncio.wait((future,), timeout=timeout)
    finally:  # who waits may be cancelled
        bonds.settle(process, from_)
    if not from_.answered:
        raise CallTimeout(f"{ref} gave no answer within {timeout:g} s{_circle(process)}")
    return from_.get()


def post_or_run(process: Any, entry: Entry, *, here: bool) -> None:
    """Puts an entry in the mailbox, and handles it here if it may be, and the process is idle."""
    thread = local.here
    process._box.append(entry)
    if here and not process._elsewhere and thread.depth < DEPTH_MAX and process._lock.acquire(False):
        _run_here(process, thread)
    elif not process._queued:
        process._wake()
    if process._dead:
        ending.refuse_rest(process)


def get(ref: Any, future: Any, timeout: float | None) -> Any:
    """Waits for a future of pykka's, as a call waits."""
    here = local.here
    started = monotonic()
    if here.runner is not None:
        here.runner.let_go()
    caller = here.process
    if caller is not None:
        caller._calls = ref._process
    try:
        return future.get(timeout=timeout)
    except pykka.Timeout:
        if timeout is None or monotonic() - started < timeout:
            raise  # it is the answer
        raise CallTimeout(f"{ref} gave no answer within {timeout:g} s") from None
    finally:
        if caller is not None:
            caller._calls = None
