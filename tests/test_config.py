"""Config: every knob has a range, an environment variable and a message that names it."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest

from tinybeam import contract
from tinybeam.config import ENGINES, LOG_LEVELS, UDS_BYTES_MAX, Config
from tinybeam.errors import ConfigError

HEADER = Path(__file__).parent.parent / "native" / "include" / "tinybeam.h"
RANGES = {field.name: field.metadata["range"] for field in dataclasses.fields(Config) if "range" in field.metadata}


def test_the_defaults_are_a_valid_config() -> None:
    config = Config()
    assert (config.host, config.port, config.uds) == ("127.0.0.1", 8000, None)
    assert config.drain_timeout_ms == 30_000


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().port = 1  # type: ignore[misc]


def test_a_name_that_is_no_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="prot"):
        Config(prot=8000)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", RANGES)
def test_both_ends_of_a_range_are_allowed(name: str) -> None:
    for end in RANGES[name]:
        assert getattr(Config(**{name: end}), name) == end


@pytest.mark.parametrize("name", RANGES)
def test_a_number_beyond_its_range_is_refused_with_the_name_the_value_and_the_range(name: str) -> None:
    least, most = RANGES[name]
    for value in (least - 1, most + 1):
        with pytest.raises(ConfigError, match=f"^{name} is {value}; it must be a whole number from {least} to {most}$"):
            Config(**{name: value})


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
@pytest.mark.parametrize("name", RANGES)
def test_only_an_int_is_a_whole_number(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{name} is {value!r};"):
        Config(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("host", "", "a name or an address"),
        ("host", None, "a name or an address"),
        ("host", "a\0b", "a name or an address"),
        ("host", "a..b", "a name or an address"),
        ("host", "a" * 64, "a name or an address"),
        ("uds", "", "the path of a unix socket"),
        ("uds", 7, "the path of a unix socket"),
        ("uds", "/tmp/a\0b", "the path of a unix socket"),
        ("uds", "ü" * UDS_BYTES_MAX, f"{2 * UDS_BYTES_MAX} octets long"),
        ("log_level", "loud", ", ".join(LOG_LEVELS)),
        ("log_level", 10, ", ".join(LOG_LEVELS)),
        ("engine", "steam", ", ".join(ENGINES)),
        ("access_log", "yes", "True or False"),
        ("access_log", 1, "True or False"),
    ],
)
def test_what_no_server_can_use_is_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} is ") as refused:
        Config(**{name: value})
    assert repr(value) in str(refused.value)
    assert words in str(refused.value)


@pytest.mark.parametrize("host", ["localhost", "::1", "fe80::1%lo", "0.0.0.0", "bücher.example", "example.org."])
def test_names_and_addresses_are_allowed_as_they_are(host: str) -> None:
    assert Config(host=host).host == host


def test_the_longest_path_of_a_unix_socket_is_allowed() -> None:
    path = "/" + "u" * (UDS_BYTES_MAX - 1)
    assert Config(uds=path).uds == path


def test_every_knob_of_the_engine_is_a_setting_and_never_zero() -> None:
    struct = re.search(r"typedef struct tb_config \{(.*?)\} tb_config;", HEADER.read_text(), re.DOTALL)
    assert struct is not None
    names = re.findall(r"uint64_t (\w+);", struct[1])
    assert len(names) == 21
    for name in set(names) - {"body_offer_bytes"}:  # that one follows from the routes
        assert RANGES[name][0] >= 1, f"0 means the engine's default for {name}"


def test_the_engine_s_own_defaults_are_those_of_the_config() -> None:
    text = (HEADER.parent.parent / "src" / "settings.c").read_text()
    rows = re.findall(r"\{([\d *]+), [^}]+\}, /\* (\w+) \*/", text)
    told = {name: math.prod(int(factor) for factor in preset.split("*")) for preset, name in rows}
    assert told == {name: getattr(Config(), name) for name in contract.KNOBS if name != "body_offer_bytes"}


def test_every_setting_can_come_from_the_environment() -> None:
    words: dict[str, tuple[str, Any]] = {
        "host": ("::1", "::1"),
        "uds": ("/tmp/Socket", "/tmp/Socket"),
        "engine": ("NATIVE", "native"),
        "log_level": ("Debug", "debug"),
        "access_log": ("Yes", True),
    }
    for field in dataclasses.fields(Config):
        text, value = words.get(field.name) or ("77", 77)
        config = Config.from_env({f"TINYBEAM_{field.name.upper()}": text})
        settings: dict[str, Any] = {field.name: value}
        assert config == Config(**settings)


def test_an_override_wins_over_the_environment_even_when_it_is_none() -> None:
    config = Config.from_env({"TINYBEAM_UDS": "/tmp/s", "TINYBEAM_PORT": "99"}, uds=None, port=7)
    assert (config.uds, config.port) == (None, 7)


def test_other_variables_and_empty_ones_are_left_alone() -> None:
    environ = {"TINYBEAM_LIBRARY": "/x", "TINYBEAM_PORT": "", "PORT": "1", "tinybeam_port": "2"}
    assert Config.from_env(environ) == Config()


@pytest.mark.parametrize("text", ["80a", "-1", "1.0", " 80", "٣", "9" * 5000, "tcp://10.0.0.1:80"])
def test_a_variable_that_is_no_number_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^TINYBEAM_PORT is .*; it must be a whole number from 0 to 65535$"):
        Config.from_env({"TINYBEAM_PORT": text})


def test_a_variable_that_is_neither_yes_nor_no_is_named() -> None:
    with pytest.raises(
        ConfigError, match=r"^TINYBEAM_ACCESS_LOG is 'maybe'; it must be one of 1, true, yes, 0, false, no"
    ):
        Config.from_env({"TINYBEAM_ACCESS_LOG": "maybe"})


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("yes", True), ("0", False), ("No", False)])
def test_a_yes_or_no_is_read(text: str, value: bool) -> None:
    assert Config.from_env({"TINYBEAM_ACCESS_LOG": text}).access_log is value
