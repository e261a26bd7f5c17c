"""The errors say whose fault they are, and carry what their readers need."""

import copy
import pickle

import pytest

from tinybeam import errors
from tinybeam.errors import (
    ClientDisconnected,
    ConfigError,
    ExchangeError,
    HTTPError,
    NativeError,
    ProcessError,
    TinybeamError,
)

KINDS = {ClientDisconnected, ConfigError, ExchangeError, HTTPError, NativeError, ProcessError}


@pytest.mark.parametrize("error", sorted(KINDS, key=lambda kind: kind.__name__))
def test_every_error_is_a_tinybeam_error(error: type) -> None:
    assert issubclass(error, TinybeamError)
    assert not issubclass(TinybeamError, ValueError)


def test_no_error_is_forgotten_in_these_tests() -> None:
    named = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert named == {TinybeamError, *KINDS}


def test_a_native_error_carries_its_code_and_prints_its_message_only() -> None:
    error = NativeError("the handle is spent", -4)
    assert error.code == -4
    assert str(error) == "the handle is spent"


def test_an_http_error_carries_status_message_and_headers() -> None:
    error = HTTPError(405, "read only", headers={"Allow": "GET"})
    assert (error.status, error.message, error.headers) == (405, "read only", (("Allow", "GET"),))
    assert str(error) == "405 read only"
    assert str(HTTPError(404)) == "404"


def test_an_http_error_takes_headers_as_pairs_and_keeps_its_own_copy() -> None:
    pairs = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    error = HTTPError(401, headers=pairs)
    pairs.clear()
    assert error.headers == (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))


@pytest.mark.parametrize("status", [200, 299, 600, 0, -1, True, "404", 404.0, None])
def test_an_http_error_needs_a_status_that_is_no_success(status: int) -> None:
    with pytest.raises(ValueError, match="from 300 to 599"):
        HTTPError(status)


@pytest.mark.parametrize("error", [HTTPError(409, "taken", headers={"X-Id": "7"}), NativeError("closed", -6)])
def test_an_error_survives_copy_and_pickle(error: TinybeamError) -> None:
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
