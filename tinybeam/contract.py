"""What every engine agrees on with those who drive it: codes, flags, phases, and the names of knobs and counters.

Owns:  the numbers of native/include/tinybeam.h, and what each code means in words.
Knows: errors; nothing of ctypes, so that an engine without a library can keep the same contract.
Never: a call of an engine.
"""

from __future__ import annotations

import os
from typing import Final

from tinybeam.errors import NativeError

OK: Final = 0
EINVAL: Final = -1
ENOMEM: Final = -2
EBADHANDLE: Final = -3
EALREADY: Final = -4
EDISCONNECTED: Final = -5
ESHUTDOWN: Final = -6
EFORKED: Final = -7
EBUFFER: Final = -8
ETERM: Final = -9
ELIMIT: Final = -10
EWAIT: Final = -11
EBODY: Final = -500
ESYSTEM: Final = -1000

POLL_WAKE: Final = 1
POLL_SIGNAL: Final = 2
POLL_RESUME: Final = 4
POLL_SPARE: Final = 8
POLL_RETIRE: Final = 16
POLL_DRAINED: Final = 32
POLL_OFFER: Final = 64
POLL_OVERDUE: Final = 128
POLL_NEWS: Final = 256

# What there is to tell of a body that comes or goes in parts, added up, and of how many requests at once.
NEWS_MORE: Final = 1
NEWS_GONE: Final = 2
NEWS_BODY: Final = 4
NEWS_MAX: Final = 255

# In the place of a runner's number: none.
NOBODY: Final = 0xFFFF

# What a runner says that it is doing (TB_PHASE_...).
PHASE_WAITING: Final = 0
PHASE_RUNNING: Final = 1
PHASE_MIXED: Final = 2

_MEANINGS: Final = {
    EINVAL: "an argument is out of its range",
    ENOMEM: "out of memory",
    EBADHANDLE: "no such handle: it is forged, stale, or another engine's",
    EALREADY: "this handle was answered before",
    EDISCONNECTED: "the client left before the answer",
    ESHUTDOWN: "the engine is closed",
    EFORKED: "this process is a forked copy; the engine belongs to its parent: start another one here",
    EBUFFER: "the batch buffer is too small for the next request",
    ETERM: "the answers are not well-formed terms",
    ELIMIT: "too many runners, constants or listeners",
    EWAIT: "nothing has come yet",
}

# The fields of tb_config and of tb_stats, in order; all are uint64_t.
KNOBS: Final = (
    "request_line_bytes_max",
    "header_bytes_max",
    "header_fields_max",
    "body_bytes_max",
    "body_offer_bytes",
    "chunk_extension_bytes_max",
    "batch_requests_max",
    "pipeline_requests_max",
    "connection_requests_max",
    "handles_max",
    "connections_max",
    "header_timeout_ms",
    "body_timeout_ms",
    "keepalive_timeout_ms",
    "write_timeout_ms",
    "linger_timeout_ms",
    "request_timeout_ms",
    "transfer_bytes_per_s_min",
    "takeover_ms",
    "standby_idle_ms",
    "file_cache_bytes_max",
)
COUNTERS: Final = (
    "connections_open",
    "connections_accepted",
    "accept_errors",
    "requests",
    "requests_refused",
    "constants",
    "handles_open",
    "answers_refused",
    "answers_late",
    "requests_shed",
    "requests_overdue",
    "timeouts_header",
    "timeouts_body",
    "timeouts_keepalive",
    "timeouts_write",
    "polls",
    "takeovers",
    "runners",
    "standbys",
    "streams",
    "files",
)


def checked(code: int, what: str) -> int:
    """The code itself unless it is an error: then raises OSError if the operating system refused, else NativeError."""
    if code >= 0:
        return code
    if code <= ESYSTEM:
        number = ESYSTEM - code
        raise OSError(number, os.strerror(number))
    raise NativeError(f"{what}: {_MEANINGS.get(code, f'code {code}')}", code)
