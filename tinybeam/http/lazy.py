"""A property that is worked out once, when it is first asked for.

Owns:  `lazy`, the descriptor.
Knows: that its owner has a `__dict__`.
Never: a lock. `functools.cached_property` takes one before Python 3.12, and it is shared by every request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - it is used as a decorator, beside `property`.
    """Keeps the value in the instance's `__dict__`, where later look-ups find it first.

    Two threads that ask at once may both work it out, so the function must be pure.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.name = function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> lazy[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> lazy[T] | T:
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.function(instance)
        return value
