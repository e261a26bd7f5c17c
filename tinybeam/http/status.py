"""Status codes: their reason phrases, and which of them never carry a body.

Owns:  what is known of a status from its number alone.
Knows: RFC 9110 section 15 and the IANA registry, through the standard library.
Never: what an application means by a status.
"""

from http import HTTPStatus

_REASONS = {status.value: status.phrase for status in HTTPStatus}


def reason(status: int) -> str:
    """The registered reason phrase, or "Status NNN" for a number that is not registered.

    >>> reason(404), reason(499)
    ('Not Found', 'Status 499')
    """
    return _REASONS.get(status) or f"Status {status}"


def has_body(status: int) -> bool:
    """Whether an answer of this status may carry a body: not 1xx, 204 and 304 (RFC 9112 section 6.3).

    >>> [status for status in (100, 200, 204, 304, 404) if has_body(status)]
    [200, 404]
    """
    return status >= 200 and status not in (204, 304)


def checked_status(status: object) -> int:
    """The status as a plain int. Raises ValueError unless it is an int from 200 to 599; True is not a status.

    >>> checked_status(HTTPStatus.CREATED)
    201
    """
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError(f"a status must be an int from 200 to 599, not {status!r}")
    return int(status)
