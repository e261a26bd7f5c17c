"""What becomes of one message more than may wait.

Owns:  the three ways: the sender is refused, the oldest message goes, or the new one does.
Knows: that whoever runs the process may be taking messages out meanwhile.
Never: drops a call, or what the system itself has sent.
"""

from __future__ import annotations

import contextlib
from typing import Any

from tinybeam.process import bonds
from tinybeam.process.errors import MailboxFull
from tinybeam.process.messages import ASK, CALL, CAST, INFO


def admit(process: Any, kind: int) -> bool:
    """Whether there is room for a message of this kind, or has been made. Raises MailboxFull."""
    if len(process._box) + len(process._batch) < process.mailbox_max:
        return True
    if kind in (CALL, ASK):
        if process.mailbox_max == 0 and not process._waiting() and not process._lock.locked():
            return True  # it is idle, and takes this one without letting it wait
    elif process.overflow == "drop_newest" or (process.overflow == "drop_oldest" and process.mailbox_max == 0):
        return False
    elif process.overflow == "drop_oldest":
        return _drop_oldest(process)
    raise MailboxFull(f"{process} has {process.mailbox_max} messages waiting, as many as may; see its mailbox_max")


def _drop_oldest(process: Any) -> bool:
    """Drops the oldest message that nobody waits for an answer to."""
    with bonds.lock:  # against who takes over all that waits
        batch, box = process._batch, process._box
        # Whoever runs the process may handle any of these in just this moment, which makes room as well.
        for index in range(len(batch) - 1, -1, -1):
            with contextlib.suppress(IndexError):
                if batch[index][0] in (INFO, CAST):
                    del batch[index]
                    return True
        for entry in box[:]:
            if entry[0] in (INFO, CAST):
                # Those before it are of other kinds, so that no == of the user's is called.
                with contextlib.suppress(ValueError):
                    box.remove(entry)
                return True
    return True
