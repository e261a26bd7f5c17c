"""What supervisors refuse, and why.

Owns:  the errors of the calls to a supervisor, and of specs that cannot work.
Knows: OTP's words for them: not_found, already_present, running, restarting, max_children.
Never: is raised inside a supervisor: who asked it is told.
"""

from __future__ import annotations

from tinybeam.errors import ConfigError, ProcessError
from tinybeam.process.errors import StartFailed


class BadSpec(StartFailed, ConfigError):  # noqa: N818 - named as in OTP
    """A child spec, or an option of a supervisor, that cannot work; found before anything has started."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "bad_spec")


class ChildNotFound(ProcessError):  # noqa: N818 - named as in OTP
    """The supervisor has no such child."""


class ChildPresent(ProcessError):  # noqa: N818 - named as in OTP
    """The supervisor has a child of this id, which is not running: `restart_child` or `delete_child` it."""


class ChildRunning(ProcessError):  # noqa: N818 - named as in OTP
    """The child is running, and has to be terminated first."""


class ChildRestarting(ProcessError):  # noqa: N818 - named as in OTP
    """The child has crashed and could not be started yet; its supervisor goes on trying."""


class TooManyChildren(ProcessError):  # noqa: N818 - named as in OTP
    """The supervisor has as many children as its max_children allows."""
