# news.py: clients that wait for news, each of them a process and none a thread
from tinybeam import Router
from tinybeam.process import PubSub, ReceiveTimeout, receive_async

WAIT_S = 25

router = Router()
router.children([PubSub.child_spec(name="news")])


@router.post("/news/{topic}")
def tell(request, topic):
    return {"told": PubSub.broadcast("news", topic, request.body.decode())}


@router.get("/news/{topic}")
async def wait(request, topic):
    PubSub.subscribe("news", topic)
    try:
        return await receive_async(WAIT_S)
    except ReceiveTimeout:
        return None
