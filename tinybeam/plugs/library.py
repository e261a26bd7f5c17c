"""Libraries that need not be there.

Owns:  looking for them.
Knows: the import system.
Never: hides that a library which is there cannot be loaded for any other reason.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def found(*names: str) -> Any:
    """The first of these modules that there is, or None.

    >>> found("no_such_library", "zlib").__name__
    'zlib'
    """
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    return None
