"""The flags of `tinybeam run`: one for each setting of Config, made from it.

Owns:  how a setting is spelt as a flag, the flags of `--reload`, and the sections of the help.
Knows: Config's fields and what each says of itself; click.
Never: a default or a range of its own: what is wrong, Config says.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any, Final

import click

from tinybeam.config import Config

_SECTIONS: Final = ("Server", "Limits", "Deadlines", "Development", "Options")


class WholeNumber(click.types.IntParamType):
    """Decimal digits, as in an environment variable: int() would also take `1_0`, ` 80` and digits of other scripts.

    A minus sign is let through, so that Config can say what the range is.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Reads what was typed; ends the program with code 2 when it is no number."""
        if not re.fullmatch("-?[0-9]{1,20}", value):
            self.fail(f"{value!r} is not a whole number", param, ctx)
        return int(value)


class SectionedCommand(click.Command):
    """A command whose help sorts the settings by what they are about."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes one section for each kind of setting, and one for what is no setting."""
        rows: dict[str, list[tuple[str, str]]] = {section: [] for section in _SECTIONS}
        fields = {field.name for field in dataclasses.fields(Config)}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            # Since click 8.5 an argument has a row as well; the line of the usage has named it.
            if row is not None and not isinstance(parameter, click.Argument):
                name = parameter.name or ""
                other = "Development" if name.startswith("reload") else "Options"
                rows[section_of(name) if name in fields else other].append(row)
        for section, found in rows.items():
            with formatter.section(section):
                formatter.write_dl(found)


def section_of(name: str) -> str:
    """Where the help lists a setting.

    >>> section_of("body_bytes_max"), section_of("body_timeout_ms"), section_of("port")
    ('Limits', 'Deadlines', 'Server')
    """
    if name.endswith("_max"):
        return "Limits"
    return "Deadlines" if name.endswith(("_ms", "_per_s_min")) else "Server"


def flag_of(name: str) -> str:
    """How a setting is given on the command line.

    >>> flag_of("body_bytes_max")
    '--body-bytes-max'
    """
    return "--" + name.replace("_", "-")


def settings_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command a flag for each setting; one that is not given is passed as None."""
    for field in reversed(dataclasses.fields(Config)):
        command = _option(field)(command)
    return command


def reload_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the flags of `--reload`, and the hidden one of the server that it starts."""
    directory = click.Path(exists=True, file_okay=False)
    again = "May be given again."
    for option in (
        click.option("--lifeline", type=int, hidden=True),
        click.option(
            "--reload-exclude", multiple=True, metavar="GLOB", help=f"Files and directories to leave out. {again}"
        ),
        click.option(
            "--reload-include", multiple=True, metavar="GLOB", help=f"Watch these files besides *.py. {again}"
        ),
        click.option("--reload-dir", multiple=True, type=directory, help=f"Watch this besides --app-dir. {again}"),
        click.option("--reload", is_flag=True, help="Start anew when a file changes; not for production."),
    ):
        command = option(command)
    return command


def _option(field: dataclasses.Field[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    name = flag_of(field.name)
    shown = "no" if field.default is False else field.default
    text = field.metadata["help"] + (f"  [default: {shown}]" if shown is not None else "")
    if "choices" in field.metadata:
        return click.option(name, type=click.Choice(field.metadata["choices"], case_sensitive=False), help=text)
    if isinstance(field.default, bool):
        return click.option(f"{name}/--no-{name.removeprefix('--')}", default=None, help=text)
    if "range" in field.metadata:
        return click.option(name, type=WholeNumber(), metavar="N", help=text)
    return click.option(name, metavar="PATH" if field.default is None else "TEXT", help=text)
