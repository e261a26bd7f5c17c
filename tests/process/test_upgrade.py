"""Hot code upgrade: a module that is written anew while its processes run."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tinybeam.process import NoProcess, Supervisor, UpgradeFailed, exit, upgrade, whereis

FIRST = """
from tinybeam.process import GenServer

class Shop(GenServer):
    version = 1
    def handle_call(self, message, from_, stock):
        if hasattr(message, "wait"):
            message.wait(30)
        return ("first", stock), stock
    def handle_cast(self, amount, stock):
        return stock + amount
"""
SECOND = """
from tinybeam.process import GenServer

class Shop(GenServer):
    version = 2
    def handle_call(self, message, from_, stock):
        return ("second", stock["apples"]), stock
    def handle_cast(self, amount, stock):
        return {"apples": stock["apples"] + amount}
    def code_change(self, old_version, stock):
        assert old_version == 1
        return self.sorted(stock)
    def sorted(self, stock):
        return {"apples": stock}
"""

Write = Callable[[str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    seconds = iter(range(1_000_000_000, 2_000_000_000, 10))

    def write_(text: str) -> None:
        path = tmp_path / "upgraded_shop.py"
        path.write_text(text)
        # Python takes a module of the same second for the same one.
        now = next(seconds)
        os.utime(path, (now, now))

    return write_


@pytest.fixture
def shop(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    write(FIRST)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("upgraded_shop")
    del sys.modules["upgraded_shop"]


def test_processes_go_on_with_the_new_code_and_what_it_makes_of_their_state(shop: ModuleType, write: Write) -> None:
    shops = [shop.Shop.start(number) for number in range(10)]
    write(SECOND)
    upgraded = upgrade(shop)
    assert upgraded.processes == 10
    assert upgraded.classes == ("Shop",)
    assert [one.call("?") for one in shops] == [("second", number) for number in range(10)]
    assert shops[0].actor_class is shop.Shop
    for one in shops:
        one.stop()


def test_no_message_is_lost_though_senders_go_on(shop: ModuleType, write: Write) -> None:
    shops = [shop.Shop.start(0) for _ in range(20)]
    sent = 0
    ending = threading.Event()

    def send() -> None:
        nonlocal sent
        while not ending.is_set():
            for one in shops:
                one.cast(1)
            sent += 1

    sender = threading.Thread(target=send)
    sender.start()
    write(SECOND)
    upgrade(shop, timeout=None)
    ending.set()
    sender.join()
    assert {one.call("?", timeout=None) for one in shops} == {("second", sent)}
    for one in shops:
        one.stop()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SECOND.replace("assert old_version == 1", "raise ValueError('too old')"), "too old"),
        (SECOND.replace("class Shop", "class Shop("), "SyntaxError"),
        (SECOND.replace("class Shop", "class Market"), "has no Shop any more"),
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
    ],
)
def test_an_upgrade_that_fails_leaves_all_as_it_was_and_says_why(
    text: str, words: str, shop: ModuleType, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    shops = [shop.Shop.start(7) for _ in range(3)]
    write(text)
    with pytest.raises(UpgradeFailed, match=words):
        upgrade(shop)
    assert "its old code goes on" in caplog.text
    assert [one.call("?") for one in shops] == [("first", 7)] * 3
    fresh = shop.Shop.start(8)
    assert fresh.call("?") == ("first", 8)
    for one in (*shops, fresh):
        one.stop()


def test_when_the_last_of_them_fails_the_others_go_back(shop: ModuleType, write: Write) -> None:
    shops = [shop.Shop.start(number) for number in range(5)]
    write(SECOND.replace("return self.sorted(stock)", 'assert stock != 3; return {"apples": stock}'))
    with pytest.raises(UpgradeFailed, match="code_change of Shop"):
        upgrade(shop)
    assert [one.call("?") for one in shops] == [("first", number) for number in range(5)]
    for one in shops:
        one.stop()


def test_one_that_is_in_the_middle_of_a_message_for_too_long_stops_the_upgrade(shop: ModuleType, write: Write) -> None:
    idle, busy = shop.Shop.start(1), shop.Shop.start(2)
    let_go = threading.Event()
    asking = threading.Thread(target=busy.call, args=(let_go, 30))
    asking.start()
    while busy._process._lock.acquire(False):
        busy._process._lock.release()  # it has not begun yet
    write(SECOND)
    with pytest.raises(UpgradeFailed, match="did not come to this"):
        upgrade(shop, timeout=0.01)
    assert idle.call("?") == ("first", 1)
    let_go.set()
    asking.join()
    assert busy.call("?") == ("first", 2)
    assert upgrade(shop).processes == 2
    assert busy.call("?") == ("second", 2)
    idle.stop()
    busy.stop()


def test_one_that_is_killed_meanwhile_is_left_out(
    shop: ModuleType, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, goes = shop.Shop.start(1), shop.Shop.start(2)
    write(SECOND)
    reload = importlib.reload

    def killing_reload(module: ModuleType) -> ModuleType:
        exit(goes, "kill")
        return reload(module)

    monkeypatch.setattr(importlib, "reload", killing_reload)
    assert upgrade(shop).processes == 1
    assert stays.call("?") == ("second", 1)
    with pytest.raises(NoProcess):
        goes.call("?")
    stays.stop()


def test_a_module_without_processes_is_just_loaded_anew(shop: ModuleType, write: Write) -> None:
    write(SECOND)
    assert upgrade(shop).processes == 0
    assert shop.Shop.version == 2


def test_the_state_of_a_plain_process_is_kept_as_it_is(shop: ModuleType, write: Write) -> None:
    plain = (
        "from tinybeam.process import Process\nclass Plain(Process):\n    kept = 'no'\n    def say(self): return {}\n"
    )
    write(plain.format("'old', self.kept"))
    importlib.reload(shop)
    ref: Any = shop.Plain.start()
    proxy = ref.proxy()
    proxy.kept = "yes"
    assert proxy.say().get() == ("old", "yes")
    write(plain.format("'new', self.kept"))
    upgrade(shop)
    assert proxy.say().get() == ("new", "yes")
    ref.stop()


def test_a_supervisor_starts_children_with_the_new_code(shop: ModuleType, write: Write) -> None:
    supervisor = Supervisor.start([shop.Shop.child_spec(7, name="shop")])
    write(SECOND)
    upgrade(shop)
    before = whereis("shop")
    assert before.call("?") == ("second", 7)
    exit(before, "kill")
    while (after := whereis("shop")) in (None, before):
        pass
    assert after.actor_class is shop.Shop
    assert after.actor_class.version == 2
    supervisor.stop()
