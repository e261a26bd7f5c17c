"""The engine as Python sees it: batches of requests in, batches of answers out.

Owns:  the open instance of the C library, the buffers that it writes into, and their lifetimes.
Knows: tinybeam.native; what each code means for whoever called.
Never: interprets a request; frees what a thread may still be inside of.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Final

from tinybeam import contract, native
from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.http import KIND_HINTS, File, FileFields
from tinybeam.process import this_thread

_BUFFER_FIRST: Final = 64 * 1024
_OVERDUE_ONCE: Final = 64
_LENGTH_MASK: Final = 0xFFFF_FFFF
# An answer was given before, the client has left, or the engine has closed, or is not this process's.
_NOBODY_WAITS: Final = (
    *(contract.EALREADY, contract.EBADHANDLE, contract.EDISCONNECTED, contract.ESHUTDOWN, contract.EFORKED),
)

_size: Final = native.size_argument

# Those that a forked child has to let go of.
_open_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
# All of them, from before a fork until after it; and whose fork that is, for several threads may fork at once.
_forking: list[Engine] = []
_fork: Final = threading.Lock()


class Engine:
    """One open engine. `close` it when done; calls on a closed one raise NativeError with contract.ESHUTDOWN."""

    def __init__(self, config: Config, body_offer_bytes: int = 0) -> None:
        """Opens one. Bodies larger than `body_offer_bytes`, if that is not 0, are offered before they are read."""
        self._library = native.load()
        knobs = native.EngineConfig(
            **{name: getattr(config, name) for name in contract.KNOBS if name != "body_offer_bytes"}
        )
        knobs.body_offer_bytes = body_offer_bytes
        self._trailers_max = config.header_bytes_max + 1
        self.pointer = pointer = native.empty_pointer()
        contract.checked(self._library.tb_engine_open(knobs, pointer), "cannot open the engine")
        self._this = native.pointer_argument(pointer.value)
        self._respond = native.direct(self._library, "tb_engine_respond")
        self._push = native.direct(self._library, "tb_engine_push")
        self._take = native.direct(self._library, "tb_body_take")
        # The memory goes when nobody can reach this object any more, and so nobody can be inside a call. At exit of
        # the interpreter daemon threads may be, and the memory is left to the operating system.
        self._freed = weakref.finalize(self, _release, self._library, pointer)
        self._freed.atexit = False
        _open_engines.add(self)

    def listen(self, host: str, port: int, backlog: int) -> int:
        """Listens on every address of the host and returns the port. Raises OSError."""
        code = self._library.tb_engine_listen(self.pointer, host.encode(), port, backlog)
        return contract.checked(code, "cannot listen")

    def listen_unix(self, path: str, backlog: int) -> None:
        """Listens on a unix socket; a socket file that nobody answers at is replaced. Raises OSError."""
        contract.checked(self._library.tb_engine_listen_unix(self.pointer, os.fsencode(path), backlog), "cannot listen")

    def add_constant(self, path: str, status: int, fields: bytes, body: bytes) -> None:
        """From now on C answers GET and HEAD of exactly this path. Only before listening."""
        octets = path.encode("ascii")
        code = self._library.tb_engine_add_constant(
            self.pointer, octets, len(octets), status, fields, len(fields), body, len(body)
        )
        contract.checked(code, f"cannot add the constant {path}")

    def add_static(self, prefix: str, directory: str, index: str | None, fields: bytes, flags: int) -> None:
        """From now on C serves the files of a directory to GET and HEAD. Only before listening. Raises OSError."""
        octets = prefix.encode("ascii")
        name = None if index is None else os.fsencode(index)
        options = native.StaticOptions(name, fields, len(fields), flags)
        code = self._library.tb_engine_add_static(self.pointer, octets, len(octets), os.fsencode(directory), options)
        contract.checked(code, f"cannot serve the files of {directory}")

    def respond(self, answers: bytes) -> int:
        """Spends the handles of an encoded list of answers, from any thread; returns OK or the first refusal."""
        return self._respond(self._this, answers, _size(len(answers)))

    def push(self, handle: int, kind: int, octets: bytes) -> int:
        """Goes on with a stream, from any thread; returns contract.OK or why not."""
        number, length = self._runner_number(), _size(len(octets))
        return self._push(self._this, number, native.uint64_argument(handle), kind, octets, length)

    def open_body(self, handle: int, bytes_max: int) -> int:
        """Has the body of an offered request come in parts; returns contract.OK or why not."""
        return int(self._library.tb_body_open(self.pointer, handle, bytes_max))

    @staticmethod
    def open_part(length: int) -> Part:
        """Memory for the octets that `take_body` takes, at most so many at once."""
        return Part(length)

    def take_body(self, handle: int, part: Part) -> int:
        """Takes octets of it, from any thread; how many, 0 at the end, or what contract.EWAIT and others say."""
        return self._take(self._this, native.uint64_argument(handle), part.address, part.size)

    def take_trailers(self, handle: int) -> bytes | None:
        """The trailers of a body that has ended; None when they are gone with the request."""
        buffer = bytearray(self._trailers_max)
        _keep, address = native.address_of(buffer)
        length = self._library.tb_body_trailers(self.pointer, handle, address, len(buffer))
        return None if length < 0 else bytes(memoryview(buffer)[:length])

    def has_left(self, handle: int) -> bool:
        """Whether the client of a request has shut its side, or is gone. Any thread."""
        return bool(self._library.tb_engine_client(self.pointer, handle) == contract.EDISCONNECTED)

    def hint(self, handle: int, fields: bytes) -> None:
        """Tells a client fields ahead of the answer, where it can be told. Any thread."""
        self.push(handle, KIND_HINTS, fields)

    def send_file(
        self, handle: int, file: File, said: FileFields, status: int, asked: bytes | None, *, head: bool
    ) -> tuple[int, int] | None:
        """Answers with a file, from any thread; it is opened here. Returns the status and the length that it came to,
        or None when nobody needs the answer any more.

        `asked` are the request's fields, or None for the whole file whatever they say. Raises OSError when the file
        cannot be opened or read, and NativeError; then nothing was answered.
        """
        by_name = file.root is None
        answer = native.FileAnswer(
            path=os.fsencode(file.path) if by_name else file.url_path.encode("ascii"),
            root=None if file.root is None else os.fsencode(file.root),
            name=None if file.name is None else os.fsencode(file.name),
            type=None if said.content_type is None else said.content_type.encode("latin-1"),
            fields=said.always,
            fields_len=len(said.always),
            lasting=said.lasting,
            lasting_len=len(said.lasting),
            asked=asked,
            asked_len=len(asked or b""),
            status=status,
            flags=(native.FILE_HEAD if head else 0) | (native.FILE_PRECOMPRESSED if file.precompressed else 0),
        )
        code = self._library.tb_engine_send_file(self.pointer, self._runner_number(), handle, answer)
        if code in _NOBODY_WAITS:
            return None
        contract.checked(code, "cannot send the file")
        return answer.status, answer.length

    def _runner_number(self) -> int:
        """The number of the runner that this thread is, if it is one of ours."""
        runner: Any = this_thread().runner
        return runner.number if getattr(runner, "engine", None) is self else native.NO_RUNNER

    def set_timeout(self, handle: int, timeout_ms: int) -> None:
        """Gives an unanswered request another deadline, counted from when it was handed over; 0 is none."""
        self._library.tb_engine_set_timeout(self.pointer, handle, timeout_ms)

    def take_overdue(self) -> list[tuple[int, int]]:
        """The handle and the age in milliseconds of requests that C has answered 504; each is told once."""
        pairs = native.uint64_array(2 * _OVERDUE_ONCE)
        found: list[tuple[int, int]] = []
        while True:
            count = self._library.tb_engine_overdue(self.pointer, pairs, _OVERDUE_ONCE)
            found += [(pairs[2 * i], pairs[2 * i + 1]) for i in range(count)]
            if count < _OVERDUE_ONCE:
                return found

    def wake(self) -> None:
        """Makes the poll of whoever holds the scheduler return with contract.POLL_WAKE. Nothing once it is closed."""
        self._library.tb_engine_wake(self.pointer)

    def drain(self) -> None:
        """Stops accepting and finishes what is open; a poll returns contract.POLL_DRAINED when that is done."""
        contract.checked(self._library.tb_engine_drain(self.pointer), "cannot drain")

    @property
    def wakeup_fd(self) -> int:
        """A descriptor for `signal.set_wakeup_fd`."""
        return contract.checked(self._library.tb_engine_wakeup_fd(self.pointer), "no wake-up descriptor")

    def stats(self) -> dict[str, int]:
        """The engine's counters by name (`tb_stats`)."""
        counters = native.EngineStats()
        contract.checked(self._library.tb_engine_stats(self.pointer, counters), "no statistics")
        return {name: getattr(counters, name) for name in contract.COUNTERS}

    def close(self) -> bool:
        """Closes it: every waiter wakes, the sockets close when the last caller has left. True for the one that did."""
        return bool(self._library.tb_engine_close(self.pointer) == contract.OK)

    def open_port(self) -> Port:
        """Registers a runner. Raises NativeError."""
        number = contract.checked(self._library.tb_runner_open(self.pointer), "no place for another runner")
        return Port(self, self._library, number)


def load_engine() -> type[Engine]:
    """The class, with its library loaded. Raises NativeError when that cannot be."""
    native.load()
    return Engine


class Part:
    """Memory for a part of a body."""

    __slots__ = ("_keep", "address", "size", "view")

    def __init__(self, length: int) -> None:
        octets = bytearray(length)
        self._keep, address = native.address_of(octets)
        # As C takes them.
        self.address, self.size = native.pointer_argument(address), _size(length)
        self.view = memoryview(octets)


class Port:
    """A runner's place at the engine: its number, its buffer, and the octet that says it has begun its batch."""

    def __init__(self, engine: Engine, library: Any, number: int) -> None:
        self.number = number
        self.engine = engine
        self._library = library
        self._pointer = engine.pointer
        self._poll = native.direct(library, "tb_engine_poll")
        self._this = native.pointer_argument(engine.pointer.value)
        self.phase = native.octet_at(library.tb_runner_phase(engine.pointer, number))
        self._news = native.uint64s_at(library.tb_runner_news(engine.pointer, number), 1 + 2 * contract.NEWS_MAX)
        self._keep: Any = None
        self._address, self._size = native.pointer_argument(None), _size(0)
        self._large = False
        self.view = memoryview(b"")

    def poll(self, answers: bytes) -> int:
        """Spends the answers and waits for work. Returns flags << 48 | runner << 32 | length of the batch in `view`.

        Raises NativeError; a buffer that is too small is made larger by itself.
        """
        if not self._keep:
            self._grow(_BUFFER_FIRST)  # only a runner that gets to poll needs one
        length = _size(len(answers))
        status = self._poll(self._this, self.number, answers, length, self._address, self._size)
        return self._seen_to(status) if status < 0 or self._large else status

    def _seen_to(self, status: int) -> int:
        """After a poll that was refused, or that may have needed a large buffer."""
        while status == contract.EBUFFER:
            self._grow(self._library.tb_engine_batch_bytes(self._pointer))
            status = self._poll(self._this, self.number, b"", _size(0), self._address, self._size)
        if status < 0:
            raise NativeError(*_meaning(status))
        if status & _LENGTH_MASK < _BUFFER_FIRST:
            # One large body must not cost its memory for ever. The small batch moves into a small buffer.
            self._shrink(status & _LENGTH_MASK)
        return status

    def news(self) -> list[tuple[int, int]]:
        """What the last poll had to tell, where it said contract.POLL_NEWS: the handles of streams, with a NEWS_..."""
        numbers = self._news.tolist()
        return [(numbers[i], numbers[i + 1]) for i in range(1, 2 * numbers[0], 2)]

    def respond(self, answers: bytes) -> None:
        """Spends the handles of these answers at once. Those that are refused had an answer, or nobody to read it."""
        self.engine.respond(answers)

    def forfeit(self) -> None:
        """Answers 500 to what is still open of the last batch."""
        self._library.tb_runner_forfeit(self._pointer, self.number)

    def close(self) -> None:
        """Gives the place up."""
        self._library.tb_runner_close(self._pointer, self.number)

    def shrink(self) -> None:
        """Gives a large buffer back; what is in it is lost."""
        if self._large:
            self._grow(_BUFFER_FIRST)

    def _grow(self, size: int) -> None:
        buffer = bytearray(size)
        self._keep, address = native.address_of(buffer)
        self._address, self._size = native.pointer_argument(address), _size(size)
        self._large = size > _BUFFER_FIRST
        self.view = memoryview(buffer)

    def _shrink(self, length: int) -> None:
        kept = bytes(self.view[:length])
        self._grow(_BUFFER_FIRST)
        self.view[:length] = kept


def _meaning(code: int) -> tuple[str, int]:
    try:
        contract.checked(code, "the poll failed")
    except NativeError as error:
        return str(error), error.code
    except OSError as error:
        return f"the poll failed: {error}", code
    return "", code


def _release(library: Any, pointer: Any) -> None:
    """Closes and frees an engine that nobody can reach any more."""
    library.tb_engine_close(pointer)
    library.tb_engine_free(pointer)


def _before_fork() -> None:
    """Holds the descriptors of every engine as they are, so that the child knows which they are."""
    _fork.acquire()
    _forking[:] = _open_engines
    for engine in _forking:
        engine._library.tb_engine_before_fork(engine.pointer)


def _after_fork() -> None:
    """In the parent, which goes on as before."""
    for engine in _forking:
        engine._library.tb_engine_after_fork(engine.pointer)
    _forking.clear()
    _fork.release()


def _abandon_all() -> None:
    """In a forked child: lets go of every engine, without touching what the parent uses."""
    for engine in _forking:
        engine._freed.detach()
        engine._library.tb_engine_abandon(engine.pointer)
    _forking.clear()
    _fork.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_abandon_all)
