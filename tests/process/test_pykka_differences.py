"""The six facts of pykka's that are otherwise here, on purpose."""

from __future__ import annotations

import threading
from typing import Any

import pykka
import pytest

from tests.process.pykka_actors import Actor, Ours, PykkaWay, Theirs
from tinybeam.process import GenServer, MailboxFull, Process, StartFailed, bonds, receive

PATIENCE_S = 30


def test_fact_1_a_beginning_that_raises_is_told_to_who_starts(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Process):
        def on_start(self) -> None:
            raise ValueError("x")

    before = len(bonds.processes)
    with pytest.raises(StartFailed, match="x"):
        Failing.start()
    assert len(bonds.processes) == before


def test_fact_2_a_failing_ask_ends_the_process_as_a_failing_tell_does(me: Any) -> None:
    for fail in (
        lambda ref: pytest.raises(ValueError, ref.ask, ValueError()),
        lambda ref: ref.tell(ValueError()),
        lambda ref: pytest.raises(KeyError, ref.proxy().fail().get, timeout=PATIENCE_S),
    ):
        ref, watch = Actor.start_monitor()
        fail(ref)
        down = receive(PATIENCE_S)
        assert down.monitor is watch
        assert isinstance(down.reason, Exception)


def test_fact_2_unless_the_class_says_that_it_answers_with_exceptions() -> None:
    ref = PykkaWay.start()
    with pytest.raises(ValueError, match="x"):
        ref.ask(ValueError("x"))
    with pytest.raises(KeyError):
        ref.proxy().fail().get(timeout=PATIENCE_S)
    assert ref.is_alive()
    with pytest.raises(SystemExit):
        ref.ask(SystemExit())
    assert not ref.is_alive()
    ref, watch = PykkaWay.start_monitor()
    ref.tell(ValueError())
    assert receive(PATIENCE_S).monitor is watch


def test_fact_3_a_baseexception_ends_one_process_and_neither_other_processes_nor_actors() -> None:
    theirs, bystander = Theirs.start(), Ours.start()
    named = GenServer.start(name="named")
    try:
        for error in (SystemExit(), KeyboardInterrupt(), GeneratorExit()):
            ref, watch = Actor.start_monitor()
            ref.tell(error)
            assert receive(PATIENCE_S).reason is error
        assert theirs.ask("x", timeout=PATIENCE_S) == ("theirs", "x")
        assert bystander.ask("x") == ("ours", "x")
        assert named.is_alive()
    finally:
        pykka.ActorRegistry.stop_all(timeout=PATIENCE_S)


def test_fact_4_the_mailbox_has_a_bound(gate: Any) -> None:
    class Small(Actor):
        mailbox_max = 3

    ref = Small.start()
    late = ref.proxy().later(gate)
    gate.reached()
    for number in range(3):
        ref.tell(number)
    with pytest.raises(MailboxFull):
        ref.tell("one more")
    with pytest.raises(MailboxFull):
        ref.ask("one more", block=False)
    gate.open()
    assert late.get(timeout=PATIENCE_S) == "late"


def test_fact_5_pykkas_registry_is_not_searched_for_who_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any) -> None:
        raise AssertionError("it is a list, and this is O(n)")

    monkeypatch.setattr(pykka.ActorRegistry, "register", fail)
    monkeypatch.setattr(pykka.ActorRegistry, "unregister", fail)
    ref = Actor.start()
    assert ref.ask("x") == "x"
    assert ref.stop()


def test_fact_6_a_process_costs_no_thread() -> None:
    before = threading.active_count()
    refs = [Actor.start() for _ in range(2000)]
    assert [ref.ask(1) for ref in refs] == [1] * 2000
    for ref in refs:
        ref.stop()
    assert threading.active_count() <= before + 2
