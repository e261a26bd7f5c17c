"""README.md says nothing that is not so: its program is run, its tables are compared, its files are looked for."""

import dataclasses
import re
import shlex
from pathlib import Path

import click
import httpx
import pytest

from tests.conftest import PLAINLY
from tinybeam import Router
from tinybeam.cli import main
from tinybeam.cli.flags import section_of
from tinybeam.config import Config
from tinybeam.server import RunningServer
from tinybeam.server.stream import WINDOW_BYTES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
FIRST_SCREEN_LINES = 40


def blocks(language: str) -> list[str]:
    """The fenced blocks in this language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def rows(*heading: str) -> list[list[str]]:
    """The rows of the table whose heading begins with these cells, each a list of its cells without backticks."""
    lines = iter(README.splitlines())
    for line in lines:
        if cells(line)[: len(heading)] == list(heading):
            next(lines)
            found = []
            for row in lines:
                if not row.startswith("|"):
                    return found
                found.append(cells(row))
    raise AssertionError(f"README.md has no table with the heading {heading}")


def cells(line: str) -> list[str]:
    """The cells of a row of a table."""
    return [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def programs() -> list[str]:
    """The blocks that are whole programs, which say what their file is called."""
    return [block for block in blocks("python") if block.startswith("# ")]


def curl_examples() -> list[tuple[str, list[str], str]]:
    """The program that each curl command in README.md talks to, its arguments, and what it is said to print."""
    examples = []
    program = ""
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S):
        program = block if block in programs() else program
        if language == "console":
            for arguments, printed in re.findall(r"^\$ curl (.*)\n((?:(?!\$ ).+\n)+)", block, re.M):
                examples.append((program, shlex.split(arguments), printed.rstrip("\n")))
    return examples


@pytest.fixture
def tinybeam_app(request: pytest.FixtureRequest) -> Router:
    """The router of one of the README's programs."""
    namespace: dict[str, Router] = {}
    exec(compile(request.param, "README.md", "exec"), namespace)
    return namespace["router"]


def test_the_first_screen_holds_the_program_and_the_two_commands() -> None:
    first_screen = "\n".join(README.splitlines()[:FIRST_SCREEN_LINES])
    assert blocks("python")[0] in first_screen
    assert "$ python3 mix_like_tasks.py run " in first_screen
    assert "$ python3 mix_like_tasks.py test " in first_screen


def test_each_program_is_an_example() -> None:
    assert len(programs()) >= 2
    for program in programs():
        name = program.partition("\n")[0].removeprefix("# ")
        assert program == (ROOT / "examples" / name).read_text()


@pytest.mark.parametrize(
    ("tinybeam_app", "arguments", "printed"),
    curl_examples(),
    ids=[shlex.join(arguments) for _, arguments, _ in curl_examples()],
    indirect=["tinybeam_app"],
)
def test_the_program_answers_curl_as_it_is_said_to(server: RunningServer, arguments: list[str], printed: str) -> None:
    *options, url = arguments
    path = url.removeprefix("http://127.0.0.1:8000")
    if options and options[0] == "-d":
        answer = httpx.post(server.url + path, content=options[1], **PLAINLY)
    elif options and options[0] == "-X":
        answer = httpx.request(options[1], server.url + path, **PLAINLY)
    else:
        answer = httpx.get(server.url + path, **PLAINLY)
    assert answer.text == printed


def test_what_a_slow_client_of_a_stream_costs_is_what_is_said() -> None:
    assert f"a slow client costs {WINDOW_BYTES // 1024} KiB and no thread" in README


def test_there_are_examples_of_curl_to_check() -> None:
    assert len(curl_examples()) >= 4


def test_the_table_of_flags_is_that_of_the_command() -> None:
    assert isinstance(main, click.Group)
    fields = [field.name for field in dataclasses.fields(Config)]
    assert all(f"--{name.replace('_', '-')}" in flags_of(main.commands["run"]) for name in fields)
    server = [f"--{name.replace('_', '-')}" for name in fields if section_of(name) == "Server"]
    assert [row[0] for row in rows("flag", "default")] == [*server, "--app-dir", "--reload"]


def test_the_table_of_flags_gives_the_defaults() -> None:
    config = Config()
    for flag, default, _ in rows("flag", "default"):
        value = getattr(config, flag.removeprefix("--").replace("-", "_"), default)
        shown = {None: "none", False: "no"}.get(value, str(value))
        assert (flag, default) == (flag, shown)


def flags_of(command: click.Command) -> set[str]:
    return {name for option in command.params for name in option.opts}


def test_the_tables_of_limits_and_deadlines_are_those_of_the_config() -> None:
    text = (ROOT / "docs" / "limits.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| (\d+) \| `(--[\w-]+)` \| `(\w+)` \| [^|]+ \| [^|]+ \|$", text, re.M)
    fields = {field.name: field.default for field in dataclasses.fields(Config) if section_of(field.name) != "Server"}
    expected = [
        (name, str(default), f"--{name.replace('_', '-')}", f"TINYBEAM_{name.upper()}")
        for section in ("Limits", "Deadlines")
        for name, default in fields.items()
        if section_of(name) == section
    ]
    assert told == expected


def test_the_table_of_tasks_is_that_of_the_help() -> None:
    tasks = (ROOT / "mix_like_tasks.py").read_text()
    helped = set(re.findall(r'^    "([a-z.]+)": ', tasks, re.M))
    assert {row[0].split()[0] for row in rows("task")} == helped - {"help"}


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:tinybeam|native|examples|benchmarks|tests)/[\w./]*)`", README))
    named |= set(re.findall(r"`(\w+\.(?:py|toml|md))`", README)) - {"pytest.ini"}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
