"""Input that is made to be dear: the price is linear, and the memory comes back."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Program, Spawn

HEAD = b"GET / HTTP/1.1\r\nHost: t\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
LOOK = b"GET /look HTTP/1.1\r\nHost: t\r\n"
WIDE = ["--request-line-bytes-max", "1048576", "--header-bytes-max", "16777216", "--header-fields-max", "128"]
WIDE += ["--body-bytes-max", "100000000", "--chunk-extension-bytes-max", "65536"]


def repeated(request: bytes, size: int) -> bytes:
    """As many of them on one connection as make so many octets."""
    return request * (size // len(request))


BOMBS: dict[str, Callable[[int], bytes]] = {
    "one header": lambda size: HEAD + b"X: " + b"y" * size + b"\r\n\r\n",
    "many spaces": lambda size: HEAD + b"X:" + b" " * size + b"y\r\n\r\n",
    "long names": lambda size: (
        HEAD + b"".join(b"%b%d: y\r\n" % (b"x" * (size // 100), n) for n in range(100)) + b"\r\n"
    ),
    "a cookie": lambda size: HEAD + b"Cookie: " + b"a=b; " * (size // 5) + b"\r\n\r\n",
    "a query": lambda size: b"GET /?" + b"a=b&" * (size // 4) + b" HTTP/1.1\r\nHost: t\r\n\r\n",
    "a path": lambda size: b"GET " + b"/a" * (size // 2) + b" HTTP/1.1\r\nHost: t\r\n\r\n",
    "percent signs": lambda size: b"GET /" + b"%41" * (size // 3) + b" HTTP/1.1\r\nHost: t\r\n\r\n",
    "empty lines": lambda size: b"\r\n" * (size // 2) + HEAD + b"\r\n",
    "a list of lengths": lambda size: HEAD + b"Content-Length: 5" + b",5" * (size // 2) + b"\r\n\r\n",
    "a list of codings": lambda size: HEAD + b"Transfer-Encoding: " + b"gzip," * (size // 5) + b"chunked\r\n\r\n",
    "connection options": lambda size: HEAD + b"Connection: " + b"x," * (size // 2) + b"close\r\n\r\n",
    "chunks of one octet": lambda size: CHUNKED + b"1\r\nx\r\n" * (size // 6) + b"0\r\n\r\n",
    "an extension": lambda size: CHUNKED + b"1;" + b"x" * (size // 4) + b"\r\nx\r\n0\r\n\r\n",
    "zeros": lambda size: CHUNKED + b"0" * size + b"1\r\nx\r\n0\r\n\r\n",
    "a trailer": lambda size: CHUNKED + b"0\r\nT: " + b"y" * size + b"\r\n\r\n",
    "more fields than may be": lambda size: HEAD + b"x:y\r\n" * (size // 5) + b"\r\n",
    "more trailers than may be": lambda size: CHUNKED + b"0\r\n" + b"x:y\r\n" * (size // 5) + b"\r\n",
    # The handler looks these up, in Python.
    "tiny fields": lambda size: repeated(LOOK + b"".join(b"n%d:\r\n" % n for n in range(100)) + b"\r\n", size),
    "fields of one name": lambda size: repeated(LOOK + b"x:y\r\n" * 100 + b"\r\n", size),
    "a long field of two": lambda size: LOOK + b"x: " + b"y," * (size // 2) + b"\r\nx: z\r\n\r\n",
    "cookies": lambda size: LOOK + (b"Cookie: " + b"a=b; " * (size // 500) + b"\r\n") * 100 + b"\r\n",
    "tiny trailers": lambda size: repeated(
        LOOK.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"t:\r\n" * 100 + b"\r\n", size
    ),
    "parameters of one name": lambda size: b"GET /look?" + b"a=b&" * (size // 4) + b" HTTP/1.1\r\nHost: t\r\n\r\n",
    "parameters of many names": lambda size: (
        b"GET /look?" + b"&".join(b"%06d" % n for n in range(size // 7)) + b" HTTP/1.1\r\nHost: t\r\n\r\n"
    ),
}
# So short that what Python makes of it stays below the size from which on malloc has the system map each piece anew.
IN_PYTHON = {name for name, bomb in BOMBS.items() if bomb(10_000).startswith((b"GET /look", b"POST /look"))}
IN_PYTHON |= {"a query", "a path", "percent signs"}

# Twice the octets may cost 2.2 times the time. Four times as many tell the difference from a square more clearly.
MOST = 2.2 * 2.2


def throw(program: Program, octets: bytes, times: int) -> float:
    """CPU seconds that so many of them cost the server."""
    before = program.cpu_s
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", program.port), 30) as sock:
            try:
                sock.sendall(octets)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1 << 20):
                    pass
            except OSError:
                pass  # it was refused while we were still sending
    return program.cpu_s - before


@pytest.mark.native_only("minutes of measuring; tests/portable looks at its parts one by one")
@pytest.mark.parametrize("name", BOMBS)
def test_the_price_grows_with_the_octets_and_the_memory_comes_back(name: str, spawn: Spawn) -> None:
    # One thread: how many there are, each with memory of its own, shall not depend on how slow this machine is.
    program = spawn(*WIDE, "--threads", "1")
    # What Python makes of a long target is not the engine's to bound, but for the limit of the request line.
    size = 20_000 if name in IN_PYTHON else 250_000
    single, fourfold = BOMBS[name](size), BOMBS[name](4 * size)
    throw(program, fourfold, 10)
    # As often as the clock of /proc, which goes by hundredths of a second, needs to tell something.
    times = 20
    while (once := throw(program, single, times)) < 0.2 and times < 1000:
        times *= 2
    assert once / (len(single) * times) < 1e-6, f"{once / (len(single) * times) * 1e6:.2f} us for an octet"
    ratios = [throw(program, fourfold, times) / max(once, 0.05)]
    # By now the allocator keeps what it keeps, which is some times the megabyte of one bomb; more of the same, which is
    # dozens of megabytes, must not add to it.
    memory = program.memory
    throw(program, fourfold, times)
    assert program.ask().endswith(b"yay")
    assert program.memory <= memory * 1.05 + (8 << 20)
    while min(ratios) > MOST and len(ratios) < 6:
        once = throw(program, single, times)
        ratios.append(throw(program, fourfold, times) / max(once, 0.05))
    assert min(ratios) <= MOST, ratios
    program.stop()


def test_after_many_requests_the_memory_is_what_it_was(spawn: Spawn) -> None:
    program = spawn()
    one = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
    pipeline = one * 500
    with program.connect() as sock:
        sock.sendall(one)
        length = len(sock.recv(4096))

    def ask(times: int) -> None:
        with program.connect() as sock:
            for _ in range(times):
                sock.sendall(pipeline)
                left = 500 * length
                while left:
                    octets = sock.recv(left)
                    assert octets, "the server has closed"
                    left -= len(octets)

    ask(20)
    before = program.memory
    for _ in range(4):
        ask(150)  # fewer than one connection may make
    assert program.memory <= before * 1.05 + (1 << 20)
    program.stop()


def test_answers_that_nobody_reads_cost_their_own_size_and_keep_nobody_waiting(spawn: Spawn) -> None:
    program = spawn("--write-timeout-ms", "600000", "--threads", "1")
    each, count = 8 << 20, 20
    normal = program.connect()

    def ask() -> None:
        normal.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        assert normal.recv(4096).endswith(b"yay")

    ask()
    before = program.memory
    greedy = [socket.socket() for _ in range(count)]
    for sock in greedy:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", program.port))
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n")
    for _ in range(200):
        ask()
    # Each answer as it waits in the engine, and what Python may hold of a few while they are handed over.
    assert program.memory - before < 1.5 * count * each
    for sock in greedy:
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
        sock.close()
    for _ in range(50):
        ask()
    program.stop()
