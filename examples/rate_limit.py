# rate_limit.py: a bucket of tokens for each client, each a process of its own, found by a registry
from time import monotonic

from tinybeam import HTTPError, Router
from tinybeam.process import AlreadyStarted, DynamicSupervisor, GenServer, Registry, Reply, Stop, call, whereis

CAPACITY = 10
PER_SECOND = 5
IDLE_MS = 60_000


class Bucket(GenServer):
    """Ends when nobody has asked for a while, since a full bucket is what a new one would be."""

    restart = "temporary"

    def init(self):
        return CAPACITY, monotonic()

    def handle_call(self, message, from_, state):
        tokens, since = state
        now = monotonic()
        tokens = min(CAPACITY, tokens + (now - since) * PER_SECOND)
        allowed = tokens >= 1
        return Reply(allowed, (tokens - allowed, now), timeout_ms=IDLE_MS)

    def handle_info(self, message, state):
        return Stop("normal")


def bucket_of(client):
    name = Registry.via("buckets", client)
    bucket = whereis(name)
    if bucket is None:
        try:
            bucket = DynamicSupervisor.start_child("bucket_supervisor", Bucket.child_spec(name=name))
        except AlreadyStarted as error:
            bucket = error.ref
    return bucket


router = Router()
router.children(
    [
        Registry.child_spec(name="buckets"),
        DynamicSupervisor.child_spec(name="bucket_supervisor", max_children=100_000),
    ]
)


@router.get("/limited")
def limited(request):
    client = request.headers.get("x-client") or request.peer
    if not call(bucket_of(client), "take"):
        raise HTTPError(429, "too many requests", headers={"Retry-After": "1"})
    return "yay"
