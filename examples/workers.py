# workers.py: a pool of workers, each with something that is costly to make and not to be shared
import sqlite3

from tinybeam import Router
from tinybeam.process import GenServer, PartitionSupervisor, call


class Worker(GenServer):
    """Holds a connection of its own; its queries run one after the other, those of others beside them."""

    def init(self):
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.execute("create table notes (owner text, note text)")
        return connection

    def handle_call(self, message, from_, connection):
        match message:
            case ("add", owner, note):
                connection.execute("insert into notes values (?, ?)", (owner, note))
                return None, connection
            case ("of", owner):
                found = connection.execute("select note from notes where owner = ?", (owner,))
                return [note for (note,) in found], connection

    def terminate(self, reason, connection):
        connection.close()


router = Router()
router.children([PartitionSupervisor.child_spec(Worker, partitions=4, name="workers")])


def worker_of(owner):
    return PartitionSupervisor.via("workers", owner)


@router.post("/notes/{owner}")
def add(request, owner):
    call(worker_of(owner), ("add", owner, request.body.decode()))


@router.get("/notes/{owner}")
def notes(request, owner):
    return call(worker_of(owner), ("of", owner))
