"""The judge: evidence over several runs, a verdict, and forgiveness."""

from tinybeam.server.judge import ACQUITTED_AFTER, FORGIVEN_AFTER, FORGIVEN_AFTER_MOST, Judge

LONG_S, QUICK_S = 0.001, 0.0005


def run(judge: Judge, times: int, elapsed_s: float) -> None:
    for _ in range(times):
        judge.on_run(elapsed_s)


def convicted() -> Judge:
    judge = Judge(LONG_S)
    run(judge, 2, LONG_S)
    assert judge.pooled
    return judge


def test_one_takeover_proves_nothing() -> None:
    judge = Judge(LONG_S)
    judge.on_takeover()
    assert not judge.pooled


def test_two_takeovers_are_enough() -> None:
    judge = Judge(LONG_S)
    judge.on_takeover()
    judge.on_takeover()
    assert judge.pooled


def test_a_takeover_and_a_long_run_are_enough() -> None:
    judge = Judge(LONG_S)
    judge.on_takeover()
    judge.on_run(LONG_S)
    assert judge.pooled


def test_quick_runs_between_two_long_ones_do_not_hide_them() -> None:
    judge = Judge(LONG_S)
    judge.on_takeover()
    run(judge, ACQUITTED_AFTER - 1, QUICK_S)
    judge.on_run(LONG_S)
    assert judge.pooled


def test_a_watched_route_that_stays_quick_is_left_alone() -> None:
    judge = Judge(LONG_S)
    judge.on_takeover()
    run(judge, ACQUITTED_AFTER - 1, QUICK_S)
    assert not judge.settled
    judge.on_run(QUICK_S)
    assert judge.settled
    assert not judge.pooled


def test_a_route_that_stops_blocking_comes_back() -> None:
    judge = convicted()
    run(judge, FORGIVEN_AFTER - 1, QUICK_S)
    assert judge.pooled
    judge.on_run(QUICK_S)
    assert not judge.pooled


def test_the_quick_runs_must_be_in_a_row() -> None:
    judge = convicted()
    for _ in range(5):
        run(judge, FORGIVEN_AFTER - 1, QUICK_S)
        judge.on_run(LONG_S)
    assert judge.pooled


def test_one_long_run_sends_a_forgiven_route_back() -> None:
    judge = convicted()
    run(judge, FORGIVEN_AFTER, QUICK_S)
    assert not judge.pooled
    judge.on_run(LONG_S)
    assert judge.pooled


def test_each_return_to_the_pool_doubles_what_it_takes_to_be_forgiven_up_to_a_most() -> None:
    judge = convicted()
    needed = FORGIVEN_AFTER
    for _ in range(12):
        run(judge, needed - 1, QUICK_S)
        assert judge.pooled
        judge.on_run(QUICK_S)
        assert not judge.pooled
        judge.on_run(LONG_S)
        assert judge.pooled
        needed = min(needed * 2, FORGIVEN_AFTER_MOST)
    assert needed == FORGIVEN_AFTER_MOST


def test_a_forgiven_route_that_stays_quick_is_left_alone() -> None:
    judge = convicted()
    run(judge, FORGIVEN_AFTER, QUICK_S)
    run(judge, ACQUITTED_AFTER, QUICK_S)
    assert judge.settled


def test_a_takeover_unsettles_what_was_settled() -> None:
    """It can come before the server has looked: another thread reports it."""
    judge = Judge(LONG_S)
    run(judge, ACQUITTED_AFTER, QUICK_S)
    assert judge.settled
    judge.on_takeover()
    assert not judge.settled


def test_a_route_in_the_pool_is_never_settled_there() -> None:
    judge = convicted()
    run(judge, FORGIVEN_AFTER - 1, QUICK_S)
    assert not judge.settled
