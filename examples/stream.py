# stream.py
from tinybeam import Event, Response, Router
from tinybeam.process import PubSub, Wait

router = Router()
router.children([PubSub.child_spec(name="news")])
router.static("/assets", ".", cache_control="max-age=60")


@router.get("/numbers/{n:int}")
def numbers(request, n):
    return (f"{number}\n" for number in range(n))


@router.get("/news")
def news(request):
    def events():
        PubSub.subscribe("news", "all")
        while True:
            yield Event((yield Wait()))

    return Response.events(events())


@router.post("/news")
def publish(request):
    PubSub.broadcast("news", "all", request.text())
