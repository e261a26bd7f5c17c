"""What was registered with `request.before_send`: called with the response before anything of it is sent.

Owns:  their order, that each is called once at most, whatever they raise, and their way to a request's successor.
Knows: requests and responses.
Never: hands out a response that the handler may return again: they are given a copy.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import force_setattr

from tinybeam.http.answer import Answer, answer, as_response
from tinybeam.http.request import Request
from tinybeam.http.response import Response
from tinybeam.http.streamed_request import StreamedRequest


def answer_seen(request: Request, result: object) -> Answer:
    """The answer term for a result, as `answer` makes it, after those functions of the request have seen it.

    Raises what `answer` raises, InParts too, and what they raise; then none of them is left.
    """
    response = as_response(result)
    functions: list[Any] = request.before_sends
    if functions:
        response = response.copy() if response is result else response
        try:
            while functions:
                function = functions.pop()
                response = _returned(function, function(response))
        finally:
            functions.clear()
    return answer(request.handle, response)


def carry_over(request: Request, other: Request) -> None:
    """Has another request, in the place of this one, share what is registered with it, before and after, and left."""
    functions: list[Any] = request.before_sends
    if functions is None:
        functions = []
        force_setattr(request, "before_sends", functions)
    if other.before_sends is not functions:
        functions.extend(other.before_sends or ())
        force_setattr(other, "before_sends", functions)
    assigns = request.assigns
    if other.assigns is not assigns:
        assigns.update(other.assigns)
        other.__dict__["assigns"] = assigns
    if isinstance(request, StreamedRequest):
        # There is one body on its way, and what was read of it is read.
        for name in ("_body", "body"):
            if name in request.__dict__:
                other.__dict__.setdefault(name, request.__dict__[name])


def _returned(function: object, response: object) -> Response:
    if isinstance(response, Response):
        return response
    name = getattr(function, "__qualname__", type(function).__qualname__)
    raise TypeError(
        f"{name}, which was given to before_send, returned {type(response).__name__}; "
        "it must return the response, or another Response"
    )
