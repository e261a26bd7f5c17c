"""A process: an actor of pykka's whose messages are run by whoever has a thread for them.

Owns:  the run lock, the mailbox, and the order in which what is in it is handled.
Knows: pykka's hooks (on_start, on_receive, on_stop, on_failure) and how pykka's own messages are to be answered.
Never: runs in two threads at once; lets an exception out to whoever runs it; waits.

The run lock is held by the thread that runs the process, by nobody while it has nothing to do, and for ever once it has
ended. `_queued` says that it is in the ready queue. Who puts something in the mailbox looks at `_queued` afterwards,
and who leaves the process looks at the mailbox after it has let the lock go, so nothing stays behind unseen.
"""

from __future__ import annotations

import _thread
import contextlib
from collections.abc import Callable
from typing import Any, ClassVar, Final, Literal, Self

import pykka

from tinybeam.process import bonds, ending, overflow, starting
from tinybeam.process.answer import PENDING
from tinybeam.process.blocking import blockers
from tinybeam.process.childspec import ChildSpec, of_class
from tinybeam.process.future import Future
from tinybeam.process.here import current
from tinybeam.process.inbox import Inbox
from tinybeam.process.messages import INFO, STOP, SYSTEM, Down, Entry, Exit, Monitor
from tinybeam.process.ready_queue import IDLE, NOTED, QUEUED, ready
from tinybeam.process.reasons import NORMAL, is_normal
from tinybeam.process.ref import ProcessRef

# From so many on, what waits is taken over at one stroke instead of one by one, each of which moves all the others.
_STROKE: Final = 16
_NOTHING: Final[Any] = ()
# What a suspended process has in place of signals: it counts as something that waits, so that nobody takes it for idle.
_HELD: Final[Any] = (None,)


class Process(pykka.Actor):
    """Subclass it as you would `pykka.ThreadingActor`; `start` it, and talk to the ref that this gives.

    Unlike a ThreadingActor: a `start` whose `__init__` or `on_start` raises raises StartFailed; an exception that is
    raised for an `ask` is told to the asker and ends this process too, unless it is one of `replies_with`; SystemExit
    ends nobody else; the mailbox is bounded.

    >>> class Adder(Process):
    ...     def add(self, a, b):
    ...         return a + b
    >>> adder = Adder.start()
    >>> adder.proxy().add(1, 2).get()
    3
    >>> adder.stop()
    True
    """

    __slots__ = (
        *("_actor_ref", "_batch", "_bonds", "_box", "_calls", "_dead"),
        *("_elsewhere", "_held", "_lock", "_queued", "_signals"),
    )

    _actor_ref: ProcessRef[Self]
    _batch: list[Entry]  # what was taken out of the box and comes next, the first last
    _bonds: bonds.Bonds | None
    _box: list[Entry]
    _calls: Any  # the process whose answer it waits for
    _dead: tuple[()] | tuple[object]  # empty while it lives, then the reason of which it ended
    _elsewhere: int  # so many calls are not run in the caller's thread; below 0, none ever is
    _held: bool  # suspended
    _lock: Any
    _queued: int
    _signals: Any

    mailbox_max: ClassVar[int] = 1 << 20
    """How many messages may wait; 0: only a call to the idle process is taken."""
    overflow: ClassVar[Literal["refuse", "drop_oldest", "drop_newest"]] = "refuse"
    """What becomes of one more: the sender gets MailboxFull, the oldest goes, or it goes itself. Never a call."""
    replies_with: ClassVar[tuple[type[BaseException], ...]] = ()
    """Exceptions that are answers: the caller gets them, and the process goes on. pykka's way is `(Exception,)`."""
    trap_exit: bool = False
    """Whether exits of linked processes come as messages (`Exit`) instead of ending this one."""
    blocking: ClassVar[bool | None] = None
    """Whether its callbacks block: then they run in threads of their own, never in a caller's. None: it is found out,
    and those that hold up others are run in threads for as long as they do."""

    _queue: ClassVar[Any] = ready  # where it waits for its turn
    _runs_itself: ClassVar[bool] = False  # in a thread of its own, where it may have ended when its start returns

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.blocking is not None:
            cls._queue = blockers if cls.blocking else ready

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        if cls.__hash__ is None:  # the class has an __eq__: to us each process is itself nevertheless
            cls.__hash__ = object.__hash__
        self = object.__new__(cls)
        lock = self._lock = _thread.allocate_lock()
        lock.acquire()
        self._box = []
        self._batch = _NOTHING
        self._signals = _NOTHING
        self._held = False
        self._dead = ()
        self._queued = IDLE
        self._bonds = None
        self._calls = None
        self._elsewhere = -1 if cls.blocking else 0
        self._actor_ref = ProcessRef(self)
        return self

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Takes what `start` was given; override it, or don't. There is no need to call this one."""

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> ProcessRef[Self]:
        """Starts a process; what it is given goes to `__init__`, and `on_start` follows, both in this thread.

        Raises StartFailed, whose cause is what they raised.
        """
        process = cls.__new__(cls)
        starting.begin(process, args, kwargs)
        return process._actor_ref

    @classmethod
    def start_link(cls, *args: Any, **kwargs: Any) -> ProcessRef[Self]:
        """The same, linked to the process that calls this."""
        process = cls.__new__(cls)
        starting.begin(process, args, kwargs, parent=current())
        return process._actor_ref

    @classmethod
    def start_monitor(cls, *args: Any, **kwargs: Any) -> tuple[ProcessRef[Self], Monitor]:
        """The same, monitored by the process that calls this instead of linked."""
        process = cls.__new__(cls)
        monitor = starting.begin(process, args, kwargs, watcher=current())
        return process._actor_ref, monitor

    @classmethod
    def child_spec(cls, *args: Any, **options: Any) -> ChildSpec:
        """How a supervisor starts one of these with these arguments.

        The options `id`, `restart`, `shutdown`, `significant` and `backoff_ms` are the supervisor's (see ChildSpec),
        and all but the first may also be attributes of the class; others go to `start_link`.
        """
        return of_class(cls, args, options)

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The first code of its own."""
        self.__init__(*args, **kwargs)  # type: ignore[misc]
        self.on_start()

    # What pykka's base class asks of an implementation.

    @staticmethod
    def _create_actor_inbox() -> Any:
        raise NotImplementedError("a process makes its mailbox itself")

    @staticmethod
    def _create_future() -> Any:
        return Future()

    def _start_actor_loop(self) -> None:
        self._leave()

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """See pykka. It is made when it is asked for."""
        return self._actor_ref.actor_urn

    @property
    def actor_inbox(self) -> Inbox:  # type: ignore[override]
        """See pykka."""
        return Inbox(self)

    @property
    def actor_stopped(self) -> Any:  # type: ignore[override]
        """See pykka. An event that is set when the process has ended."""
        return self._actor_ref.actor_stopped

    def stop(self) -> None:
        """Asks this process to stop, after what is in its mailbox by now."""
        self._post((STOP, NORMAL, None))

    def _stop(self) -> None:
        """pykka's own message to stop has come."""
        ending.end(self, NORMAL)

    def __str__(self) -> str:
        return str(self._actor_ref)

    # The mailbox.

    def _post(self, entry: Entry) -> None:
        """Puts an entry in, whatever the bound is. Any thread."""
        self._box.append(entry)
        self._nudge()

    def _nudge(self) -> None:
        """Something was put in. Any thread."""
        if not self._queued:
            self._wake()
        if self._dead:
            ending.refuse_rest(self)

    def _admit(self, kind: int) -> bool:
        """Whether a message may be put in though the mailbox looks full. Raises MailboxFull."""
        return overflow.admit(self, kind)

    def _wake(self) -> None:
        """Sees to it that what waits is handled: by its own code if that is in `receive`, or else in its turn."""
        ties = self._bonds
        if ties is not None and ties.receiver is not None:
            self._wake_receiver()
        elif self._queued != QUEUED:
            self._queued = QUEUED
            self._queue.push(self)

    def _signal(self, signal: Any) -> None:
        """Has `signal(process)` called before any message that waits. Any thread."""
        with bonds.lock:
            if self._dead:
                return
            if type(self._signals) is tuple:
                self._signals = []
            self._signals.append(signal)
        self._wake()

    # Receiving, by the code of the process itself.

    def _waiting(self) -> list[Entry]:
        """What waits, in its order."""
        return [*reversed(self._batch), *self._box]

    def _remove(self, entry: Entry) -> None:
        """Takes one out, for who runs the process; it is told by its identity, since == is the user's code."""
        with bonds.lock:  # a sender may be dropping the oldest
            for waiting in (self._batch, self._box):
                for index, one in enumerate(waiting):
                    if one is entry:
                        del waiting[index]
                        return

    def _withdraw(self, unwanted: Callable[[Any], bool]) -> None:
        """Takes out every message that is not wanted any more."""
        for entry in self._waiting():
            if unwanted(entry[1]):
                self._remove(entry)

    def _wake_receiver(self) -> None:
        """Something has come, for who may wait in `receive`."""
        ties = self._bonds
        receiver = None if ties is None else ties.receiver  # looked at once: it goes when the wait is over
        if receiver is not None:
            with contextlib.suppress(RuntimeError):
                receiver.release()

    # Running. The run lock is held.

    def _turn(self, budget: int) -> None:
        """Handles signals, then messages: until nothing waits, the budget is spent, or the process has ended."""
        if self._dead:
            return
        while True:
            if self._signals and not self._heed():
                return
            try:
                if self._batch:
                    kind, message, reply_to = self._batch.pop()
                elif len(self._box) < _STROKE:
                    kind, message, reply_to = self._box.pop(0)
                else:
                    self._take_over()
                    continue
            except IndexError:  # nothing waits, or it was taken out in just this moment by who has ended the process
                return
            try:
                self._dispatch(kind, message, reply_to)
            except BaseException as error:  # noqa: BLE001 - SystemExit ends this process and no other
                ending.on_error(self, error, message, reply_to)
            budget -= 1
            if budget <= 0 or self._dead:
                return

    def _take_over(self) -> None:
        """Makes all that waits the batch."""
        with bonds.lock:  # against senders that drop the oldest, and who ends the process
            if not self._dead:
                batch = self._box[:]
                del self._box[: len(batch)]
                batch.reverse()
                self._batch = batch

    def _heed(self) -> bool:
        """Takes the signals. False when the process shall not go on: it has ended, or is suspended."""
        while not self._dead:
            with bonds.lock:
                if not self._signals or self._signals is _HELD:
                    self._signals = _HELD if self._held else _NOTHING
                    return not self._held
                signal = self._signals.pop(0)
            try:
                signal(self)
            except BaseException as error:  # noqa: BLE001
                ending.on_error(self, error, signal, None)
        return False

    def _leave(self) -> None:
        """After a turn. A process that has ended keeps its lock locked."""
        if self._dead:
            return
        self._lock.release()
        if self._box or self._batch or self._signals or self._queued == NOTED:
            self._look_again()

    def _look_again(self) -> None:
        """The process was just left, and something waits, or somebody found it locked."""
        if self._queued == NOTED:
            # Whoever sent something since then has seen that there is no need to put it in the queue.
            self._queued = IDLE
        if (self._box or self._batch or self._signals) and self._signals is not _HELD:
            self._wake()

    def _dispatch(self, kind: int, message: Any, reply_to: Any) -> None:
        """Handles one entry."""
        if kind == STOP:
            ending.stop(self, message, reply_to)
        elif kind == SYSTEM:
            message(self)
        elif reply_to is None:
            self._handle_receive(message)
        else:
            answer = self._answer(message, reply_to)
            if answer is not PENDING:
                reply_to.set(answer)

    def _answer(self, message: Any, _from: Any) -> Any:
        """Handles a call. PENDING when the answer goes to `_from`, by now or later."""
        return self._handle_receive(message)

    # For who looks into it; the run lock is held.

    def _state_shown(self) -> Any:
        return dict(self.__dict__)

    def _state_replace(self, state: Any) -> None:
        self.__dict__.clear()
        self.__dict__.update(state)

    # Ends.

    def _tell_exit(self, sender: Any, reason: object) -> None:
        """An exit signal has come that is no kill. Any thread. As a message it comes after what was sent before it."""
        if self._dead:
            return
        if self.trap_exit and not self._is_parent(sender):
            self._dispatch_info(Exit(sender, reason))
        elif self.trap_exit and not self._held:
            self._post((SYSTEM, ending.ExitSignal(sender, reason), None))
        else:
            self._signal(ending.ExitSignal(sender, reason))

    def _is_parent(self, sender: Any) -> bool:  # noqa: ARG002
        """Whether the end of this one ends it whatever it traps."""
        return False

    def _on_exit(self, sender: Any, reason: object) -> None:
        """An exit signal has come that is no kill."""
        if self.trap_exit:
            self._dispatch_info(Exit(sender, reason))
        elif not is_normal(reason):
            ending.end(self, reason)

    def _tell_down(self, down: Down) -> None:
        """Puts the news of an end in the mailbox, unless it was flushed before it came. Any thread."""
        with bonds.lock:
            if down.monitor.flushed:
                return
            self._box.append((INFO, down, None))
        self._nudge()

    def _dispatch_info(self, message: Any) -> None:
        """Puts a message of the system's own in the mailbox."""
        self._post((INFO, message, None))

    def _on_end(self, reason: object, error: BaseException | None) -> None:
        """Calls the hook for the end, for a process that was not killed. What it raises is reported."""
        if error is None:
            self.on_stop()
        else:
            self.on_failure(type(error), error, error.__traceback__)

    def _on_buried(self, reason: object) -> None:
        """It has ended, whichever way. Any thread, and nobody has been told yet."""
