"""The service as a Tinybeam router.

Owns:  the routes that tinybeam is measured with.
Knows: the front door of tinybeam.
Never: a hint to the scheduler: `/slow` and `/hiccup` say nothing about blocking, so the engine has to find out.
"""

import itertools
import time

from tinybeam import Request, Router

HICCUP_EVERY_REQUESTS = 5000
HICCUP_SECONDS = 0.005

router = Router()
router.get("/constant", do="yay")
_count = itertools.count(1)


@router.get("/")
def index(request: Request) -> str:
    return "yay"


@router.get("/users/{id:int}")
def show(request: Request, id: int) -> str:
    return f"{id}"


@router.post("/echo")
def echo(request: Request) -> bytes:
    return request.body


@router.get("/slow")
def slow(request: Request) -> str:
    time.sleep(0.1)
    return "slow"


@router.get("/hiccup")
def hiccup(request: Request) -> str:
    if next(_count) % HICCUP_EVERY_REQUESTS == 0:
        time.sleep(HICCUP_SECONDS)
    return "yay"
