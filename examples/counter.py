# counter.py
from tinybeam import Router
from tinybeam.process import GenServer, call


class Counter(GenServer):
    def init(self):
        return {}

    def handle_call(self, message, from_, counts):
        match message:
            case ("add", name):
                count = counts.get(name, 0) + 1
                return count, {**counts, name: count}
            case "all":
                return counts, counts


router = Router()
router.children([Counter.child_spec(name="counter")])


@router.post("/counters/{name}")
def add(request, name):
    return {name: call("counter", ("add", name))}


@router.get("/counters")
def show(request):
    return call("counter", "all")
