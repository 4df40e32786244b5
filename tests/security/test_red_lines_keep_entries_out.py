from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account
from algomirror.frame import beats
from algomirror.frame.readiness import board
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.kernel.errors import Denied
from algomirror.ops import backup, queue, readiness
from algomirror.ops.alerts.models import AlertChannel
from algomirror.ops.models import Check
from marketdata import calendar
from risk.services import gate
from strategies.services import preview
from tests import cast
from tests.strategies import stage

pytestmark = pytest.mark.django_db
OURS, THEIRS = "203.0.113.7", "198.51.100.9"
PUBLIC = "8.8.8.8"


@pytest.fixture(autouse=True)
def now(db: None) -> Iterator[FrozenClock]:
    with stage.at() as frozen:
        stage.market()
        yield frozen
    calendar.forget()


def red(name: str, account_id: int, **more: Any) -> Check:
    now = clock.now()
    given = {"state": "RED", "value": "it is bad", "remedy": "Mend it.", "since": now, "checked_at": now, **more}
    return Check.objects.create(name=name, account_id=account_id, **given)


def of_account(account: Account) -> list[tuple[str, str]]:
    facts = gate.account_facts([account], mode="PAPER", now=clock.now())
    return [(d.code.value, d.sentence) for d in gate.check_account(facts[account.pk], with_books=False)]


def test_a_red_line_denies_with_its_code_and_the_words_of_the_board() -> None:
    account = stage.account()
    assert of_account(account) == []
    red("mode", account.pk)
    assert of_account(account) == [("MODE_MISMATCH", f"{account.name}: readiness: mode is red, it is bad. Mend it.")]


def test_amber_and_lines_that_are_not_named_deny_nothing(settings: Any) -> None:
    account = stage.account()
    red("mode", account.pk, state="AMBER")
    red("funds", account.pk)
    assert of_account(account) == []
    settings.READINESS_BLOCKS = ["funds"]
    assert [code for code, _ in of_account(account)] == ["MARGIN_UNKNOWN"]


def test_a_red_line_of_the_product_denies_every_account(settings: Any) -> None:
    settings.READINESS_BLOCKS = ["disk"]
    one, two = stage.account(1), stage.account(2)
    red("disk", 0)
    assert [[code for code, _ in of_account(a)] for a in (one, two)] == [["NOT_PERMITTED"], ["NOT_PERMITTED"]]


def test_only_the_account_with_the_red_line_is_skipped(now: FrozenClock) -> None:
    good, bad = stage.account(1), stage.account(2)
    for account in (good, bad):
        stage.funds_read(account)
    version = stage.saved([good, bad])
    red("registered address", bad.pk)
    plan = preview.preview(version, [good, bad], user=stage.alice())
    assert [(row["account"], row["code"]) for row in plan.skipped] == [(bad.pk, "NOT_PERMITTED")]
    assert "registered address is red" in plan.skipped[0]["sentence"]
    assert {line["account"] for line in plan.lines} == {good.pk}
    red("registered address", good.pk)
    with pytest.raises(Denied):
        preview.preview(version, [good, bad], user=stage.alice())


def test_a_board_that_stands_still_is_said(now: FrozenClock) -> None:
    account = stage.account()
    red("mode", account.pk)
    now.advance(readiness.OLD_S + 1)
    assert "signals cluster" in of_account(account)[0][1]


def test_an_order_of_a_plan_under_way_is_not_stopped_by_the_board() -> None:
    account = stage.account()
    red("mode", account.pk)
    order = cast.order(cast.book(account, cast.run()), state="INITIALIZED", permit={"by": "x"})
    gate.recheck(order)


def test_a_link_that_moves_has_the_board_looked_at_again() -> None:
    ran = "am:readiness"
    queue.client().set(ran, 1)
    readiness.look_again()
    assert queue.client().get(ran) is None
    beats.enqueue()
    assert queue.client().get(ran) is not None


def line(name: str, account: Account | None = None) -> tuple[str, str, str]:
    board.run()
    row = Check.objects.get(name=name, account_id=account.pk if account else 0)
    return row.state, row.value, row.remedy


@pytest.mark.parametrize(
    ("registered", "host", "state", "word"),
    [
        (None, f"http://{PUBLIC}:5000", "AMBER", "not entered"),
        (PUBLIC, f"http://{PUBLIC}:5000", "GREEN", PUBLIC),
        (THEIRS, f"http://{PUBLIC}:5000", "RED", f"orders leave from {PUBLIC}, registered is {THEIRS}"),
        (OURS, "http://127.0.0.1:5000", "GREEN", OURS),
        (THEIRS, "http://127.0.0.1:5000", "RED", f"registered is {THEIRS}"),
    ],
)
def test_the_registered_address_is_compared_with_where_orders_leave(
    settings: Any, registered: str | None, host: str, state: str, word: str
) -> None:
    settings.EGRESS_ADDRESSES = [OURS]
    account = cast.account(mode="LIVE", host_url=host, registered_address=registered)
    found = line("registered address", account)
    assert found[0] == state
    assert word in found[1]
    assert bool(found[2]) is (state != "GREEN")


def test_what_cannot_be_compared_is_amber_and_paper_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    live = cast.account(mode="LIVE", host_url="http://broker.example", registered_address=OURS)
    paper = cast.account("Paper Pia", host_url="http://broker.example")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert line("registered address", live)[0] == "AMBER"
    assert line("registered address", paper) == ("GREEN", "paper needs none", "")


@pytest.mark.parametrize(("relation", "state"), [("SPOUSE", "GREEN"), ("OTHER", "AMBER")])
def test_one_address_serves_one_family(relation: str, state: str) -> None:
    own = cast.account(mode="LIVE", host_url=f"http://{PUBLIC}:1", registered_address=PUBLIC, holder="Alice")
    cast.account("Of Bob", mode="LIVE", host_url=f"http://{PUBLIC}:2", registered_address=PUBLIC, relation=relation, holder="Bob")
    found = line("registered address", own)
    assert found[0] == state
    assert ("Of Bob" in found[1]) is (state == "AMBER")


def test_backups_are_a_line_of_the_board(settings: Any, tmp_path: Path, now: FrozenClock) -> None:
    settings.BACKUP_DIR = ""
    assert line("backups")[:2] == ("AMBER", "none are taken")
    settings.BACKUP_DIR = str(tmp_path / "none")
    assert line("backups")[0] == "RED"
    (tmp_path / "none").mkdir()
    name = f"algomirror-{clock.now():%Y%m%dT%H%M%S.%fZ}.sqlite3"
    (tmp_path / "none" / name).touch()
    assert backup.newest(tmp_path / "none") == clock.now()
    assert line("backups")[0] == "GREEN"
    now.advance(timedelta(minutes=76).total_seconds())
    assert line("backups")[:2] == ("AMBER", "last copy 76 min ago")
    now.advance(timedelta(hours=4).total_seconds())
    assert line("backups")[0] == "RED"


def test_alert_channels_are_a_line_of_the_board() -> None:
    assert line("alert channels")[:2] == ("AMBER", "none")
    given = {"kind": "BROWSER", "sealed_config": b"x", "created_at": clock.now()}
    one = AlertChannel.objects.create(name="pager", **given)
    assert line("alert channels")[:2] == ("AMBER", "never used: pager")
    AlertChannel.objects.filter(pk=one.pk).update(last_sent_at=clock.now())
    assert line("alert channels")[:2] == ("GREEN", "1 heard")
    two = AlertChannel.objects.create(name="mail", failures_in_row=3, last_error="no route", last_sent_at=clock.now(), **given)
    assert line("alert channels")[0] == "AMBER"
    AlertChannel.objects.exclude(pk=two.pk).update(failures_in_row=1)
    found = line("alert channels")
    assert found[0] == "RED"
    assert "mail (no route)" in found[1]


def test_a_wrong_address_is_refused_beside_its_field() -> None:
    client = cast.signed_in(cast.alice())
    typed = {"name": "New one", "mode": "PAPER", "host_url": "http://127.0.0.1:9", "websocket_url": "ws://127.0.0.1:9",
             "key": "k" * 12, "orders_per_second": 10, "brokerage_per_order": 20, "registered_address": "300.1.1.1"}  # fmt: skip
    answer = client.post("/accounts/new", typed)
    assert answer.status_code == 422
    assert "valid IPv4 or IPv6 address" in answer.content.decode()
