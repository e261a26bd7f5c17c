"""A file as the answer to one request: from where it lies to what goes on the wire.

Owns:  the choice whether the octets are read here or sent from the descriptor.
Knows: that a descriptor has one owner: whoever has opened it, until a cargo has it.
Never: touches a connection: any thread may make one.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Final, NamedTuple

from tinybeam.files.asked import Asked
from tinybeam.files.asset import describe
from tinybeam.files.cargo import Cargo, ChangedError, Reading
from tinybeam.files.delivery import Delivery, deliver
from tinybeam.files.locate import Root, read_name
from tinybeam.files.siblings import Choice, open_best
from tinybeam.http import File, FileFields

CONTENT_MAX: Final = 64 * 1024
# One that never is at rest is sent as well as can be: if it changes once more, the connection ends.
_TRIES_MAX: Final = 4


class Parcel(NamedTuple):
    """An answer. `length` is its body's, also where nothing of that is sent; of a long one the octets are in `cargo`,
    which is whoever's who takes the parcel."""

    status: int
    fields: bytes
    length: int
    content: bytes = b""
    cargo: Cargo | None = None


def open_parcel(file: File, said: FileFields, status: int, asked: Asked) -> Parcel:
    """Opens the file and decides on the answer. Raises OSError.

    A status other than 200 says that the file is the body of something else: nothing is asked of it then.
    """
    root = Root(file.root)
    try:
        if file.root is None:
            choice = Choice(root.open(os.fsencode(file.path)))
        else:
            named = read_name(file.url_path.encode("ascii"), hidden=False)
            if named is None or named.slash:
                raise FileNotFoundError(2, os.strerror(2), file.path)
            choice = Choice(root.open(named.name))
        if file.precompressed:
            choice = open_best(root, choice.opened, asked if status == 200 else Asked())
    finally:
        root.close()
    name = file.name or file.path
    return pack(choice, name, asked, said, status=status, negotiated=file.precompressed)


def pack(
    choice: Choice, name: str, asked: Asked, said: FileFields, *, status: int = 200, negotiated: bool = False
) -> Parcel:
    """Makes an answer of the file that was opened, and takes over its descriptor. Raises OSError."""
    opened, coding = choice
    kept = False
    try:
        for tries in range(_TRIES_MAX):
            what = opened.stat if tries == 0 else os.fstat(opened.fd)
            now = int(time.time())
            asset = describe(what, name, now, kind=said.content_type, coding=coding, negotiated=negotiated)
            plan = deliver(asked if status == 200 else Asked(head=asked.head), asset, now)
            if status != 200:
                plan = plan._replace(status=status, fields=asset.kind_field)
            fields = _fields(said, plan)
            if asked.head or not plan.length:
                return Parcel(plan.status, fields, plan.length)
            if plan.length > CONTENT_MAX:
                break
            with contextlib.suppress(ChangedError):
                octets = b"".join(iter(Reading(opened.fd, what, plan.segments).take, b""))
                return Parcel(plan.status, fields, plan.length, octets)
        kept = True
        return Parcel(plan.status, fields, plan.length, cargo=Cargo(opened.fd, what, plan.segments))
    finally:
        if not kept:
            os.close(opened.fd)


def _fields(said: FileFields, plan: Delivery) -> bytes:
    refused = plan.status in (412, 416)
    return said.always + (b"" if refused else said.lasting) + plan.fields.encode("latin-1")
