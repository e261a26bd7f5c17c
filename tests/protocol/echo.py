"""The app that the HTTP/1.1 conformance cases are sent to: any method and any target gives the request's body back."""

from tinybeam import Request, Router

router = Router()


@router.fallback
def echo(request: Request) -> bytes:
    return request.body
