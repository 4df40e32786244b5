from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from accounts.gateway.reports import Failed, Read, RestQuote, Why
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops.models import Alarm
from marketdata import quotes, rest
from marketdata.domain.quotes import Source
from marketdata.feed.asking import Asker
from tests.marketdata.cast import FRIDAY, account, owner, quote, seconds

pytestmark = pytest.mark.django_db


class Server:
    def __init__(self) -> None:
        self.asked: list[Sequence[tuple[str, str]]] = []
        self.fails = False
        self.price = Decimal("104.25")

    def quotes(self, keys: Sequence[tuple[str, str]]) -> Any:
        self.asked.append(keys)
        if self.fails:
            return Failed(Why.TIMEOUT, "slow")
        rows = [RestQuote(e, s, self.price, Decimal(0), Decimal("104.3"), 5, 6, None) for e, s in keys if s != "MISSING"]
        return Read(rows, FRIDAY, FRIDAY + seconds(1))


@pytest.fixture
def servers() -> Iterator[dict[str, Server]]:
    alice = owner()
    account(alice, name="first", key="a" * 64)
    account(alice, name="second", key="b" * 64, is_primary=False, backup_rank=1)
    account(alice, name="third", key="c" * 64, is_primary=False, backup_rank=2)
    known = {name: Server() for name in ("first", "second", "third")}
    with far_side(lambda row: known[row.name]):  # type: ignore[arg-type,return-value]
        yield known


def test_the_primary_is_asked_and_the_answer_is_dated_from_the_question(servers: dict[str, Server]) -> None:
    found = rest.refresh(["NFO:A", "NFO:A", "NFO:MISSING", "rubbish", ":", "NFO:"])
    assert servers["first"].asked == [[("NFO", "A"), ("NFO", "MISSING")]]
    assert found.keys() == {"NFO:A"}
    stored = quotes.get(["NFO:A"])["NFO:A"]
    assert (stored.source, stored.received_at, stored.bid, stored.ask) == (Source.REST, FRIDAY, None, Decimal("104.3"))


def test_when_the_primary_fails_the_backup_is_asked(servers: dict[str, Server]) -> None:
    servers["first"].fails = True
    assert rest.refresh(["NFO:A"]).keys() == {"NFO:A"}
    assert servers["second"].asked and not servers["third"].asked


def test_accounts_known_to_be_down_are_asked_last(servers: dict[str, Server]) -> None:
    Account.objects.filter(name="first").update(link="REFUSED")
    rest.refresh(["NFO:A"])
    assert servers["second"].asked and not servers["first"].asked


def test_when_nobody_answers_nothing_changes(servers: dict[str, Server]) -> None:
    for server in servers.values():
        server.fails = True
    quotes.put([quote("NFO:A", "90")])
    assert rest.refresh(["NFO:A"]) == {}
    assert quotes.get(["NFO:A"])["NFO:A"] == quote("NFO:A", "90")


def test_a_tick_that_came_meanwhile_is_not_displaced(servers: dict[str, Server]) -> None:
    tick = quote("NFO:A", "99", FRIDAY + seconds(0.5))
    quotes.put([tick])
    rest.refresh(["NFO:A"])
    assert quotes.get(["NFO:A"])["NFO:A"] == tick


@pytest.mark.parametrize("price", ["0", "-1", "NaN"])
def test_a_failed_price_of_the_server_is_no_price(servers: dict[str, Server], price: str) -> None:
    servers["first"].price = Decimal(price)
    assert rest.refresh(["NFO:A"]) == {}
    assert quotes.get(["NFO:A"]) == {}


def test_many_symbols_go_in_batches(servers: dict[str, Server]) -> None:
    assert len(rest.refresh([f"NFO:S{n}" for n in range(250)])) == 250
    assert [len(batch) for batch in servers["first"].asked] == [100, 100, 50]


def test_without_an_account_nothing_is_asked() -> None:
    assert rest.refresh(["NFO:A"]) == {}


NIFTY = "NSE_INDEX:NIFTY"


def test_a_server_whose_indices_stand_still_is_asked_after_the_others_and_a_person_is_told(servers: dict[str, Server]) -> None:
    first, second = servers["first"], servers["second"]
    frozen = clock.FrozenClock(FRIDAY)
    with clock.use(frozen):
        asker = Asker(lambda quote: None)

        def rounds(count: int, *moving: Server) -> None:
            for _ in range(count):
                asker._round([NIFTY, "NFO:A"])
                for server in (second, *moving):
                    server.price += 1
                frozen.advance(1)

        rounds(16)
        assert not second.asked and not Alarm.objects.exists(), "a quarter of a minute may pass"
        rounds(10)
        assert len(first.asked) == 17 and len(second.asked) == 9
        assert quotes.get([NIFTY])[NIFTY].last_price == second.price - 1
        alarm = Alarm.objects.get(kind="FEED_STILL")
        assert alarm.account_id == first_id() and "first" in alarm.text
        rounds(40)
        assert len(first.asked) <= 19, "one that stood still is tried each half minute, and left at once while it has not moved"
        rounds(70, first)
        assert len(first.asked) > 50, "it moves again"


def first_id() -> int:
    return Account.objects.get(name="first").pk


def test_without_an_index_among_them_answers_say_nothing_of_standing_still(servers: dict[str, Server]) -> None:
    frozen = clock.FrozenClock(FRIDAY)
    with clock.use(frozen):
        asker = Asker(lambda quote: None)
        for _ in range(40):
            asker._round(["NFO:A"])
            frozen.advance(1)
    assert len(servers["first"].asked) == 40 and not Alarm.objects.exists()
