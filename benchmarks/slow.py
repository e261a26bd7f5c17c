"""The slow load: connections that always sit in a handler which blocks.

Owns:  those connections, the thread that drives them, and the count of their answers.
Knows: `GET /slow`, whose answer ends with "slow".
Never: a wait without a bound.
"""

import contextlib
import selectors
import socket
import threading
from types import TracebackType

_REQUEST = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"


class SlowLoad:
    """Keeps `connections` requests for `/slow` under way, each sent as soon as the one before is answered.

    Used as a context manager; `answers` counts up while it runs, `failures` counts connections that were lost.
    """

    def __init__(self, port: int, connections: int) -> None:
        self.answers = 0
        self.failures = 0
        self._port = port
        self._connections = connections
        self._seen_all = threading.Event()
        self._stop_reader, self._stop_writer = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="slow-load", daemon=True)

    def __enter__(self) -> "SlowLoad":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_writer.send(b"x")
        self._thread.join(timeout=30)
        self._stop_writer.close()
        self._stop_reader.close()

    def wait_until_steady(self, seconds_max: float) -> bool:
        """Waits until there were three answers per connection, so that a server has learned what it learns."""
        return self._seen_all.wait(seconds_max)

    def _connect(self, selector: selectors.BaseSelector) -> None:
        try:
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=5)
            sock.sendall(_REQUEST)
        except OSError:
            self.failures += 1
            return
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ, bytearray())

    def _on_readable(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        sock = key.fileobj
        assert isinstance(sock, socket.socket)
        try:
            octets = sock.recv(4096)
            key.data.extend(octets)
            if octets and key.data.endswith(b"\r\n\r\nslow"):
                key.data.clear()
                self.answers += 1
                sock.sendall(_REQUEST)
        except OSError:
            octets = b""
        if not octets:
            selector.unregister(sock)
            sock.close()
            self.failures += 1
            self._connect(selector)

    def _run(self) -> None:
        with contextlib.closing(selectors.DefaultSelector()) as selector:
            selector.register(self._stop_reader, selectors.EVENT_READ)
            for _ in range(self._connections):
                self._connect(selector)
            stopped = False
            while not stopped:
                for key, _ in selector.select():
                    if key.fileobj is self._stop_reader:
                        stopped = True
                    else:
                        self._on_readable(selector, key)
                if self.answers >= 3 * self._connections:
                    self._seen_all.set()
            for key in list(selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
