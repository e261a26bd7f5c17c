"""The flags of `tinybeam run`: one for each setting, read as its environment variable is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from click.testing import CliRunner

from tinybeam.cli import main
from tinybeam.cli.flags import flag_of, section_of
from tinybeam.config import Config

FIELDS = dataclasses.fields(Config)
WORDS = {"host": ("::1", "::2"), "uds": ("/a", "/b"), "engine": ("auto", "native"), "log_level": ("error", "debug")}


class ServedError(Exception):
    """Ends the command where the server would have begun."""


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The Configs that the command would have served with."""
    made: list[Config] = []

    def serve(app: object, config: Config) -> None:
        made.append(config)
        raise ServedError

    monkeypatch.setattr("tinybeam.cli.run.serve", serve)
    monkeypatch.setattr("tinybeam.cli.run.load_app", lambda target, app_dir: None)
    monkeypatch.setattr("tinybeam.cli.run.configure", lambda level: None)
    return made


def invoke(*args: str, **environ: str) -> tuple[int, str]:
    """The exit code and what the command said."""
    result = CliRunner().invoke(main, ["run", "app", *args], env=environ)
    return result.exit_code, result.output


@pytest.mark.parametrize("field", FIELDS, ids=[field.name for field in FIELDS])
def test_the_flag_of_every_setting_wins_over_its_variable(field: dataclasses.Field[Any], configs: list[Config]) -> None:
    variable = f"TINYBEAM_{field.name.upper()}"
    if field.name == "access_log":
        invoke("--no-access-log", **{variable: "yes"})
        invoke("--access-log", **{variable: "no"})
        assert [config.access_log for config in configs] == [False, True]
        return
    by_variable, by_flag = WORDS.get(field.name, ("77", "78"))
    invoke(**{variable: by_variable})
    invoke(flag_of(field.name), by_flag, **{variable: by_variable})
    assert [str(getattr(config, field.name)) for config in configs] == [by_variable, by_flag]


@pytest.mark.parametrize("text", ["1_0", " 80", "٣", "0x50", "1.5", "", "9" * 21])
def test_a_flag_that_is_no_number_is_wrong_usage(text: str, configs: list[Config]) -> None:
    code, said = invoke("--threads", text)
    assert (code, configs) == (2, [])
    assert f"Invalid value for '--threads': {text!r} is not a whole number" in said


def test_a_number_out_of_its_range_is_told_with_the_range(configs: list[Config]) -> None:
    assert invoke("--body-timeout-ms", "-1") == (
        3,
        "tinybeam: body_timeout_ms is -1; it must be a whole number from 1 to 86400000\n",
    )


def test_the_help_lists_each_setting_once_and_in_its_section() -> None:
    sections: dict[str, list[str]] = {}
    current = ""
    for line in invoke("--help")[1].splitlines():
        if line.endswith(":") and not line.startswith(" "):
            current = line[:-1]
        elif line.startswith("  ") and line[2:3].strip():
            sections.setdefault(current, []).append(line.split()[0])
    for section in ("Server", "Limits", "Deadlines"):
        assert sections[section] == [flag_of(field.name) for field in FIELDS if section_of(field.name) == section]
    # -h is the other one; what follows in this section is the epilog.
    assert sections["Options"][0] == "--app-dir"
