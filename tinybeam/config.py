"""Every knob of Tinybeam, its default, its range, and the reason for both.

Owns: the names, defaults and ranges of all settings, and the message when one is wrong.
Knows: errors, and how the `TINYBEAM_...` environment variables spell a setting.
Never: opens, resolves or measures anything; a Config is a value.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from tinybeam.errors import ConfigError

LOG_LEVELS: Final = ("critical", "error", "warning", "info", "debug")
ENGINES: Final = ("auto", "native", "portable")

# sockaddr_un.sun_path holds the path and its closing NUL: 108 octets on Linux, 104 on the BSDs and macOS.
UDS_BYTES_MAX: Final = 107 if sys.platform == "linux" else 103

_ENV_PREFIX: Final = "TINYBEAM_"
_ENV_BOOLEANS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_DAY_MS: Final = 24 * 60 * 60 * 1000


def _whole(default: int, least: int, most: int, help_text: str) -> int:
    """A field that holds a whole number from `least` to `most`, both included."""
    return dataclasses.field(default=default, metadata={"range": (least, most), "help": help_text})


def _choice(default: str, choices: tuple[str, ...], help_text: str) -> str:
    """A field that holds one of a few words."""
    return dataclasses.field(default=default, metadata={"choices": choices, "help": help_text})


def _text(default: Any, help_text: str) -> Any:
    """A field that holds any text, which is checked by itself."""
    return dataclasses.field(default=default, metadata={"help": help_text})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """All settings of one server; checked when made, and never changed after that.

    Raises ConfigError, which names the setting, the value and what is allowed.

    >>> Config(port=0).port
    0
    >>> Config(port=80_000)
    Traceback (most recent call last):
        ...
    tinybeam.errors.ConfigError: port is 80000; it must be a whole number from 0 to 65535
    """

    # Where to listen. Loopback, because being reachable from elsewhere is a decision that somebody should make.
    host: str = _text("127.0.0.1", "Address to listen on.")
    port: int = _whole(8000, 0, 65_535, "Port to listen on; 0 picks a free one.")
    # When it is given, host and port are not used.
    uds: str | None = _text(None, "Path of a unix socket to listen on instead.")
    # The kernel lowers this to net.core.somaxconn by itself.
    backlog: int = _whole(2048, 1, 65_535, "Connections the kernel keeps ready.")

    # Made on demand and sent home when idle, so the default costs nothing until 256 handlers block at the same time;
    # the kernel and the GIL set the upper end. Beside them as many runners may be blocked at first, each with one
    # request of a route that is not known to block yet.
    threads: int = _whole(256, 1, 4096, "Most OS threads for handlers that block.")
    # "auto" takes the native engine, and the portable one, which is pure Python, where its library cannot be loaded.
    engine: str = _choice("auto", ENGINES, "Which engine serves.")

    log_level: str = _choice("info", LOG_LEVELS, "What is logged, on stderr.")
    # One line per request costs more than most requests do, hence off.
    access_log: bool = dataclasses.field(default=False, metadata={"help": "Log every request."})
    # 30 s is what Kubernetes grants before it kills; 0 waits for nothing.
    drain_timeout_ms: int = _whole(30_000, 0, _DAY_MS, "How long TERM waits for what is open.")

    # From here on: the engine's own knobs, named as in native/include/tinybeam.h. 0 means "the default" there, so the
    # least value is 1 or more here. docs/limits.md tells users what happens at each of them.

    # RFC 9112 section 3 asks for at least 8000 octets.
    request_line_bytes_max: int = _whole(8192, 64, 1 << 20, "Longest request line; a longer one is answered 414.")
    # Cookies need up to about 16 KiB.
    header_bytes_max: int = _whole(65_536, 64, 1 << 24, "Largest header section; a larger one is answered 431.")
    # Browsers send 10 to 20. The parser's array of fields has 128 places.
    header_fields_max: int = _whole(100, 1, 128, "Most header fields; more are answered 431.")
    # A body is held in memory, so this times the connections bounds what clients can make us hold. The upper end
    # leaves room for the rest of the request in a batch, which is at most 2 GiB.
    body_bytes_max: int = _whole(10 << 20, 1, 1 << 30, "Largest body; a larger one is answered 413.")
    # Nobody uses chunk extensions but for attacks. It bounds the line of one chunk, and what the lines of all chunks
    # have more than their content excuses.
    chunk_extension_bytes_max: int = _whole(
        256, 16, 65_536, "Longest chunk-size line with its extensions; a longer one is answered 413."
    )
    # Enough that the price of a native call vanishes (128 requests share 330 ns), few enough that the first of a batch
    # is not kept waiting by the last.
    batch_requests_max: int = _whole(128, 1, 65_535, "Most requests handed to Python at once.")
    # More than any client that pipelines sends; the others wait unread in the socket.
    pipeline_requests_max: int = _whole(
        64, 1, 65_535, "Most unanswered requests of one connection; further ones are not read yet."
    )
    # A connection that lived for ever would never move to another worker; this many requests make a reconnect cheap.
    connection_requests_max: int = _whole(
        100_000, 1, (1 << 32) - 1, "Most requests of one connection; the last answer closes it."
    )
    # Each costs some 100 octets, and the time until it is answered: at overload a quick 503 serves everybody better.
    handles_max: int = _whole(
        65_536, 1, 1 << 20, "Most unanswered requests of all connections; further ones are answered 503."
    )
    # The operating system's limit on open files (ulimit -n) applies as well.
    connections_max: int = _whole(65_536, 1, 1 << 20, "Most connections; further ones wait in the backlog.")

    # A page's worth of styles, scripts and icons; the rest comes from the kernel's own cache.
    file_cache_bytes_max: int = _whole(
        16 << 20, 1, 1 << 40, "Most memory for hot small files of `router.static`; 1 is as good as none."
    )

    # nginx grants 60 s, Bandit and others none or 15 s. A head is one packet: who needs 10 s for it holds us up.
    header_timeout_ms: int = _whole(
        10_000, 1, _DAY_MS, "How long a request's head may take, from its first octet or from the connect."
    )
    body_timeout_ms: int = _whole(60_000, 1, _DAY_MS, "How long a body may stall, or be too slow on the whole.")
    # Load balancers reuse a connection for up to 60 s by default. If we close first, they send a request into the
    # closing connection now and then, and tell the user 502.
    keepalive_timeout_ms: int = _whole(75_000, 1, _DAY_MS, "How long a connection may be idle between requests.")
    write_timeout_ms: int = _whole(
        60_000, 1, _DAY_MS, "How long a client may take nothing of an answer, or too slowly."
    )
    # What a refused client still sends is read and dropped, so that it can read why it was refused.
    linger_timeout_ms: int = _whole(5_000, 1, _DAY_MS, "How long we wait for a client to close, having said goodbye.")
    # Browsers and proxies give up after 30 to 60 s.
    request_timeout_ms: int = _whole(30_000, 1, _DAY_MS, "How long a handler may take; then the client is told 504.")
    # A modem from 1990 is faster.
    transfer_bytes_per_s_min: int = _whole(500, 1, 1 << 30, "Slowest a body or an answer may move, in octets a second.")

    # 1 ms is some hundred times a quick handler, and short enough that nobody notices the wait.
    takeover_ms: int = _whole(1, 1, 60_000, "How long a handler may run before another runner takes its scheduler.")
    # So that a burst of blocking does not cost memory for ever.
    standby_idle_ms: int = _whole(10_000, 1, _DAY_MS, "How long a spare runner stays without work.")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        _check_host(self.host)
        if self.uds is not None:
            _check_uds(self.uds)
        if not isinstance(self.access_log, bool):
            raise ConfigError(f"access_log is {self.access_log!r}; it must be True or False")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], **overrides: Any) -> Config:
        """Makes a Config of `TINYBEAM_PORT`, `TINYBEAM_BODY_BYTES_MAX` and so on; `overrides` win over them.

        Other variables, also those that begin with `TINYBEAM_` and name no setting, are left alone, and an empty one
        counts as not set. Raises ConfigError as Config does, and for a number or a yes-or-no that cannot be read.

        >>> Config.from_env({"TINYBEAM_PORT": "9000", "TINYBEAM_THREADS": "8"}, threads=4).port
        9000
        """
        settings = dict(overrides)
        for field in dataclasses.fields(cls):
            text = environ.get(_ENV_PREFIX + field.name.upper())
            if text and field.name not in settings:
                settings[field.name] = _read(field, text)
        return cls(**settings)


def _check(field: dataclasses.Field[Any], value: object) -> None:
    """Refuses a number out of its range and a word that is not one of the choices."""
    if "range" in field.metadata:
        least, most = field.metadata["range"]
        # bool is an int to Python, but `port=True` is a mistake.
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ConfigError(f"{field.name} is {value!r}; it must be a whole number from {least} to {most}")
    choices = field.metadata.get("choices")
    if choices and value not in choices:
        raise ConfigError(f"{field.name} is {value!r}; it must be one of {', '.join(choices)}")


def _check_host(host: object) -> None:
    """Refuses what can be neither a name (RFC 5890) nor an address; whether it exists shows when it is listened on."""
    try:
        if isinstance(host, str) and host and "\0" not in host and host.encode("idna"):
            return
    except UnicodeError:
        # A label that is empty or too long, or has characters that no name may have.
        pass
    raise ConfigError(f"host is {host!r}; it must be a name or an address, such as 127.0.0.1, ::1 or 0.0.0.0")


def _check_uds(path: object) -> None:
    """Refuses a path that no unix socket can have."""
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigError(f"uds is {path!r}; it must be the path of a unix socket, or None")
    length = len(os.fsencode(path))
    if length > UDS_BYTES_MAX:
        raise ConfigError(
            f"uds is {path!r}, {length} octets long; a socket's path may have {UDS_BYTES_MAX}: choose a shorter one"
        )


def _read(field: dataclasses.Field[Any], text: str) -> object:
    """What the text of an environment variable means for this setting."""
    variable = _ENV_PREFIX + field.name.upper()
    if "range" in field.metadata:
        # int() refuses more than 4300 digits with an error of its own; no range needs more than 20.
        if not (text.isascii() and text.isdigit() and len(text) <= 20):
            least, most = field.metadata["range"]
            raise ConfigError(f"{variable} is {text!r}; it must be a whole number from {least} to {most}")
        return int(text)
    if isinstance(field.default, bool):
        if text.lower() not in _ENV_BOOLEANS:
            raise ConfigError(f"{variable} is {text!r}; it must be one of {', '.join(_ENV_BOOLEANS)}")
        return _ENV_BOOLEANS[text.lower()]
    return text.lower() if "choices" in field.metadata else text
