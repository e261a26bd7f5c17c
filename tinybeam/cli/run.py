"""`tinybeam run MODULE:ATTR`: serves an app until a signal ends it.

Owns: the command, the line that says where the server listens, and the exit codes.
Knows: how to load the app, the Config, the server's door, signals, logging, and who does all this for --reload.
Never: shows a traceback for a start that failed, unless --log-level is debug.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Any, Final, NoReturn

import click

from tinybeam.cli.app import load_app, split_target
from tinybeam.cli.flags import SectionedCommand, reload_flags, settings_flags
from tinybeam.cli.lifeline import END_GRACE_S, Lifeline
from tinybeam.cli.log import configure, escape, indent
from tinybeam.cli.reload import DRAIN_TIMEOUT_MS, Command, Reloader
from tinybeam.cli.signals import SignalWatch
from tinybeam.cli.watch import Selection
from tinybeam.config import Config
from tinybeam.errors import ConfigError, TinybeamError
from tinybeam.server import serve, share_memory

EXIT_START_FAILED: Final = 3

_EPILOG: Final = """\
Every setting is also an environment variable, TINYBEAM_HOST, TINYBEAM_BODY_BYTES_MAX and so on; a flag wins over
it. What happens at each limit and deadline, and why it is what it is, is told in docs/limits.md.

TERM finishes what is open and then stops; Ctrl+C stops at once, and when pressed twice kills.

--reload runs the server in an OS process of its own and starts another one when a file has changed; between the two
nothing listens. It drains for 2 s only, unless --drain-timeout-ms is given.

Exit codes: 0 stopped as asked, 1 a drain ran out of time or the server stopped by itself, 2 wrong usage, 3 the
server could not start.
"""


class EscapingGroup(click.Group):
    """Tells wrong usage as it was given, but for the control characters in it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            vars(error)["message"] = escape(error.message)  # click has it final
            raise


@click.group(cls=EscapingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tinybeam", prog_name="tinybeam")
def main() -> None:
    """Tinybeam: an actor HTTP server."""


@main.command(cls=SectionedCommand, epilog=_EPILOG)
@click.argument("target", metavar="MODULE:ATTR")
@settings_flags
@click.option(
    "--app-dir",
    default=".",
    envvar="TINYBEAM_APP_DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Directory that MODULE is looked for in first.  [default: the current one]",
)
@reload_flags
def run(
    target: str,
    app_dir: str,
    reload: bool,
    reload_dir: tuple[str, ...],
    reload_include: tuple[str, ...],
    reload_exclude: tuple[str, ...],
    lifeline: int | None,
    **flags: Any,
) -> None:
    """Serves the Router that MODULE:ATTR names; MODULE alone means MODULE:router.

    For example: tinybeam run hello:router --port 0
    """
    given = {name: value for name, value in flags.items() if value is not None}
    # A setting may be what is wrong, so whether a traceback is wanted must be known before they are read.
    log_level = given.get("log_level", os.environ.get("TINYBEAM_LOG_LEVEL", "").lower())
    if reload and not os.environ.get("TINYBEAM_DRAIN_TIMEOUT_MS"):
        given.setdefault("drain_timeout_ms", DRAIN_TIMEOUT_MS)
    try:
        config = read_config(given)
        configure(config.log_level)
        if not reload and (reload_dir or reload_include or reload_exclude):
            raise ConfigError("--reload-dir, --reload-include and --reload-exclude say what to watch; add --reload")
        if reload:
            split_target(target)  # the one mistake in it that no changed file can mend
    except TinybeamError as error:
        _fail(str(error), log_level)
    if reload:
        directories = tuple(os.path.abspath(directory) for directory in (app_dir, *reload_dir))
        selection = Selection(directories, reload_include, reload_exclude)
        sys.exit(Reloader(Command(target, app_dir, given), selection, config.drain_timeout_ms).run())
    sys.exit(_serve(target, app_dir, config, lifeline, log_level))


def _serve(target: str, app_dir: str, config: Config, lifeline_fd: int | None, log_level: str) -> int:
    """Serves until a signal, or the end of a parent that watches files, ends it; the exit code."""
    lifeline = None
    if lifeline_fd is not None:
        lifeline = Lifeline(lifeline_fd, config.drain_timeout_ms / 1000 + END_GRACE_S)
    share_memory()  # before there are threads
    try:
        running = serve(load_app(target, app_dir), config)
    except TinybeamError as error:
        _fail(str(error), log_level)
    except OSError as error:
        _fail(_listen_error(error, config), log_level)
    with SignalWatch() as signals:
        if lifeline is not None:
            lifeline.tell_port(running.port)
        click.echo(escape(f"Tinybeam is listening on {running.url} (press Ctrl+C to stop)"))
        code = signals.supervise(running, config.drain_timeout_ms)
        if lifeline is not None:
            lifeline.server_stopped()
    return code


def read_config(given: dict[str, Any]) -> Config:
    """Makes the Config of the flags that were given and, below them, of the environment."""
    if "uds" in given and ("host" in given or "port" in given):
        raise ConfigError("--uds takes the place of --host and --port; give one or the other")
    if "host" in given or "port" in given:
        # A flag wins over TINYBEAM_UDS.
        given = {"uds": None, **given}
    return Config.from_env(os.environ, **given)


def _fail(message: str, log_level: str) -> NoReturn:
    """Ends a start that failed: one line, after a traceback when that is wanted."""
    if log_level == "debug":
        click.echo(indent(traceback.format_exc().rstrip()), err=True)
    click.echo(escape(f"tinybeam: {' '.join(message.split())}"), err=True)
    sys.exit(EXIT_START_FAILED)


def _listen_error(error: OSError, config: Config) -> str:
    """Says what the operating system refused, and what to do about it."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    where = config.uds if config.uds is not None else f"{host}:{config.port}"
    advice = {
        errno.EADDRINUSE: "something listens there already; stop it, or choose another --port (0 picks a free one)",
        errno.EACCES: "no permission; ports below 1024 are for root: choose another one with --port",
        errno.EADDRNOTAVAIL: "this machine has no such address, or nobody knows the name; 0.0.0.0 is every IPv4 one",
        errno.EMFILE: "too many open files; raise the limit with ulimit -n",
    }
    if config.uds is not None:
        advice |= {
            errno.EADDRINUSE: "a server listens there already, or a file that is no socket is in the way;"
            " stop or remove it, or choose another path with --uds",
            errno.EACCES: "no permission; choose a directory that you may write to",
            errno.ENOENT: "there is no such directory; make it first",
        }
    reason = advice.get(error.errno or 0) or error.strerror or str(error)
    return f"cannot listen on {where}: {reason}"
