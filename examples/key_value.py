# key_value.py: a store with expiry; what has expired is swept out by a message to itself
from time import monotonic

from tinybeam import HTTPError, Router
from tinybeam.process import GenServer, call, cast, self_ref, send_after

SWEEP_MS = 1000


class Store(GenServer):
    def init(self):
        send_after(self_ref(), "sweep", SWEEP_MS)
        return {}

    def handle_call(self, message, from_, entries):
        match message:
            case ("get", key):
                value, until = entries.get(key, (None, 0))
                return (value if monotonic() < until else None), entries

    def handle_cast(self, message, entries):
        match message:
            case ("put", key, value, seconds):
                return {**entries, key: (value, monotonic() + seconds)}
            case ("delete", key):
                return {other: entry for other, entry in entries.items() if other != key}

    def handle_info(self, message, entries):
        send_after(self_ref(), "sweep", SWEEP_MS)
        now = monotonic()
        return {key: entry for key, entry in entries.items() if now < entry[1]}


router = Router()
router.children([Store.child_spec(name="store")])


@router.get("/keys/{key}")
def get(request, key):
    value = call("store", ("get", key))
    if value is None:
        raise HTTPError(404, f"there is no {key}")
    return value


@router.put("/keys/{key}")
def put(request, key):
    cast("store", ("put", key, request.body, float(request.query.get("seconds", 3600))))


@router.delete("/keys/{key}")
def delete(request, key):
    cast("store", ("delete", key))
