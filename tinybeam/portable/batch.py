"""The batch that a poll fills: the requests that Python gets at once.

Owns:  how many there may be, and how many octets.
Knows: MessagePack through msgspec.
Never: refuses the first of a batch, however large it is.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tinybeam.portable.message import Record

# As much as the native engine's buffer holds at first: the next request, and what is behind it, come in the next batch.
_OCTETS_MAX: Final = 64 * 1024
_encode: Final = msgspec.msgpack.Encoder().encode


class Batch:
    """Give `requests_max` as 0 for one that takes none."""

    def __init__(self, requests_max: int) -> None:
        self._requests_max = requests_max
        self._octets = 0
        self._records: list[Record] = []
        # Whether one of them is without its body.
        self.offers = False

    @property
    def open(self) -> bool:
        """Whether another request may come in."""
        return len(self._records) < self._requests_max and self._octets < _OCTETS_MAX

    def fits(self, record_bytes: int) -> bool:
        """Whether this one may."""
        return self.open and (not self._records or self._octets + record_bytes <= _OCTETS_MAX)

    def push(self, record: Record, record_bytes: int, *, offered: bool = False) -> None:
        """Takes a request that fits."""
        self._records.append(record)
        self._octets += record_bytes
        self.offers = self.offers or offered

    @property
    def handles(self) -> list[int]:
        return [record[0] for record in self._records]

    def __len__(self) -> int:
        return len(self._records)

    def close(self) -> bytes:
        """The whole batch as a term; nothing when it is empty."""
        return _encode(self._records) if self._records else b""


# One that takes nothing: it stands in the room while nobody polls, so that no request is kept there.
CLOSED: Final = Batch(0)
