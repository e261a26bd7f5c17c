"""Statuses: reason phrases, and which have no body."""

from http import HTTPStatus

import pytest

from tinybeam.http import has_body, reason
from tinybeam.http.status import checked_status


@pytest.mark.parametrize("status", list(HTTPStatus))
def test_a_registered_status_has_its_reason_phrase(status: HTTPStatus) -> None:
    assert reason(status.value) == status.phrase


def test_an_unregistered_status_still_has_a_phrase() -> None:
    assert reason(599) == "Status 599"


def test_1xx_204_and_304_have_no_body_and_all_others_have() -> None:
    without = [status for status in range(100, 600) if not has_body(status)]
    assert without == [*range(100, 200), 204, 304]


@pytest.mark.parametrize("status", [199, 600, 100, 0, -200, True, False, "200", 200.0, None, [200]])
def test_what_is_no_final_status_is_refused(status: object) -> None:
    with pytest.raises(ValueError, match="an int from 200 to 599"):
        checked_status(status)


def test_a_status_of_the_enum_becomes_a_plain_int() -> None:
    assert type(checked_status(HTTPStatus.CREATED)) is int
