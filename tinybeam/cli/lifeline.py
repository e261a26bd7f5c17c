"""The line between a process that serves and the parent that watches files for it: the end that the server holds.

Owns:  the thread that waits for the line's end, and the last resort when a stop takes too long.
Knows: that the kernel cuts the line when the parent ends, whatever ended it.
Never: talks of anything but the port.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket
import threading
from typing import Final

# Beyond a drain: what the user's children and the modules' own ends may take, of which most take nothing.
END_GRACE_S: Final = 10

_STDERR: Final = 2


class Lifeline:
    """Has this OS process drain and stop when the parent lets go, on purpose or because it has ended.

    To be made in the main thread, before there are others: the parent has blocked INT until now, so that Ctrl+C ends a
    start without a traceback.
    """

    def __init__(self, fd: int, end_timeout_s: float) -> None:
        # What a handler starts must not hold it.
        os.set_inheritable(fd, False)
        self._socket = socket.socket(fileno=fd)
        self._end_timeout_s = end_timeout_s
        self._lock = threading.Lock()
        self._ending = False
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        threading.Thread(target=self._follow, name="tinybeam-lifeline", daemon=True).start()

    def tell_port(self, port: int | None) -> None:
        """Tells the parent where the server listens, for the next one to listen there too; None is a unix socket."""
        with contextlib.suppress(OSError):  # the parent has ended, and the line's end will tell
            self._socket.sendall(b"%d" % (port or 0))

    def server_stopped(self) -> None:
        """From now on nothing needs to be told to stop: a TERM would cut short what Python does at its exit."""
        with self._lock:
            self._ending = True

    def _follow(self) -> None:
        with contextlib.suppress(OSError):  # a reset is an end too
            while self._socket.recv(64):
                pass
        # It needs no lock of Python's, and says which line holds up the end.
        faulthandler.dump_traceback_later(self._end_timeout_s, exit=True, file=_STDERR)
        with self._lock:
            if not self._ending:
                # Until there is a SignalWatch the kernel's own action, which is right while nothing is served.
                os.kill(os.getpid(), signal.SIGTERM)
