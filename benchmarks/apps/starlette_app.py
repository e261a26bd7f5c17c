"""The service as a Starlette application: what uvicorn costs with a router in front of the handlers.

Owns:  the routes that uvicorn + Starlette is measured with.
Knows: Starlette.
Never: a sleep on the event loop: `/slow` is a plain `def`, which Starlette runs in its thread pool.
"""

import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


async def index(request: Request) -> Response:
    return PlainTextResponse("yay")


async def show(request: Request) -> Response:
    return PlainTextResponse(f"{request.path_params['id']}")


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


def slow(request: Request) -> Response:
    time.sleep(0.1)
    return PlainTextResponse("slow")


app = Starlette(
    routes=[
        Route("/", index),
        Route("/users/{id:int}", show),
        Route("/echo", echo, methods=["POST"]),
        Route("/slow", slow),
    ]
)
