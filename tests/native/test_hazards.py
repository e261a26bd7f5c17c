"""What can go wrong between C and Python, each with the test that shows that it does not; first of all: handles."""

# The hazards of a C engine behind ctypes, and their tests; those without a file are here and in test_hazards_*.py.
#
#  1 use after respond             test_handles_in_any_order_answer_their_own_request_and_once; handle_test.c (1e5)
#  2 double respond                test_two_threads_with_one_handle_give_the_client_one_response;
#                                  handle_threads_test.c (1e5 rounds), engine_threads_test.c (on the wire)
#  3 the client left first         tests/server/test_engine_refusals.py (reset), engine_test.c, exchange_test.c
#  4 slot used by the next request test_the_handle_of_a_request_that_was_left_does_not_answer_the_next_in_its_slot
#  5 ABA, generation wrap          handle_test.c (1e7 cycles over four slots; a slot that is used up is retired)
#  6 forged handles                handle_test.c (1e6), tests/server/test_engine_refusals.py
#  7 another engine's, after close tests/server/test_engine_refusals.py, tests/server/test_engine_closing.py,
#                                  engine_test.c
#  8 nobody answers                test_a_handler_that_fails_in_any_way_is_answered, test_a_runner_that_forfeits_...
#  9 finalisers on any thread      test_a_garbage_collection_at_every_step_disturbs_nothing
# 10 callback is collected         tests/test_house.py (there is no callback)
# 11 exit with requests in flight  test_the_process_ends_with_its_own_exit_code (TINYBEAM_STRESS_EXITS=500 for all)
# 12 GIL deadlock                  tests/test_house.py (no PyDLL), test_sixteen_threads_call_at_once,
#                                  engine_threads_test.c
# 13 poll cannot be interrupted    test_a_sigint_ends_a_poll_on_the_main_thread
# 14 prototypes, 15 layout         tests/test_native.py
# 16 NUL, 17 mutation, 18 lengths  tests/server/test_engine.py, tests/server/test_engine_refusals.py (lengths),
#                                  answer_test.c, term_test.c, engine_test.c
# 19 fork                          test_hazards_fork.py, tests/server/test_engine_fork.py,
#                                  engine_fork_test.c, conn_test.c, acceptor_test.c
# 24 shutdown races                engine_threads_test.c (TINYBEAM_STRESS_S goes on for so many seconds)
# 25 free while inside             engine_threads_test.c (eight closers), test_a_close_while_others_call_is_one_close
# 26 thread leak                   test_starting_and_stopping_leaves_nothing_behind

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from tinybeam import contract
from tinybeam.http import KIND_TEXT

if TYPE_CHECKING:
    from tests.native.conftest import EngineRig, ReceiveBodies

encode = msgspec.msgpack.encode


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


def test_handles_in_any_order_answer_their_own_request_and_once(rig: EngineRig, receive_bodies: ReceiveBodies) -> None:
    chance = random.Random(42)
    client = rig.connect()
    spent: list[int] = []
    for round_ in range(200):
        paths = [f"/{round_}-{i}" for i in range(10)]
        client.sendall(b"".join(map(get, paths)))
        requests = rig.requests(10)
        chance.shuffle(requests)
        for request in requests:
            if spent:
                stale = encode([(chance.choice(spent), KIND_TEXT, "stale")])
                assert rig.engine.respond(stale) == contract.EALREADY
            assert rig.engine.respond(encode([(request.handle, KIND_TEXT, request.path_raw)])) == contract.OK
            spent.append(request.handle)
        rig.flush()
        assert receive_bodies(client, 10) == [path.encode() for path in paths]
        assert (requests[0].body, requests[0].headers["host"]) == (b"", "t")  # a spent request is still a value


def test_two_threads_with_one_handle_give_the_client_one_response(
    rig: EngineRig, receive_bodies: ReceiveBodies
) -> None:
    rounds = 500
    client = rig.connect()
    barrier = threading.Barrier(3)
    codes: list[int] = []
    current: list[bytes] = [b""]

    def answer() -> None:
        for _ in range(rounds):
            barrier.wait()
            codes.append(rig.engine.respond(current[0]))
            barrier.wait()

    threads = [threading.Thread(target=answer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(rounds):
        client.sendall(get("/"))
        (request,) = rig.requests(1)
        current[0] = encode([(request.handle, KIND_TEXT, "once")])
        barrier.wait()
        barrier.wait()
        rig.flush()
        assert receive_bodies(client, 1) == [b"once"]
    for thread in threads:
        thread.join()
    assert sorted(codes) == [contract.EALREADY] * rounds + [contract.OK] * rounds


def test_the_handle_of_a_request_that_was_left_does_not_answer_the_next_in_its_slot(
    receive_bodies: ReceiveBodies, rigs: Callable[..., EngineRig]
) -> None:
    rig = rigs(handles_max=1)
    first = rig.connect()
    first.sendall(get("/one"))
    (one,) = rig.requests(1)
    assert rig.engine.respond(encode([(one.handle, KIND_TEXT, "one")])) == contract.OK
    rig.flush()
    first.sendall(get("/two"))
    (two,) = rig.requests(1)
    assert one.handle != two.handle
    assert rig.engine.respond(encode([(one.handle, KIND_TEXT, "wrong")])) == contract.EALREADY
    assert rig.engine.respond(encode([(two.handle, KIND_TEXT, "two")])) == contract.OK
    rig.flush()
    assert receive_bodies(first, 2) == [b"one", b"two"]
    rig.close()
