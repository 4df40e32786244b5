"""The key of an account is withdrawn, and an exit is the first to find out."""

from __future__ import annotations

from accounts import health
from accounts.models import Account
from algomirror.ops.models import Journal
from tests.trading.desk import LOT, Desk


def test_an_exit_that_is_turned_away_for_its_key_rings(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE"))
    live.run_until(lambda: live.owned(book, "CE") == LOT)
    live.run(2)
    server, row = live.world.accounts[0], live.accounts[0]
    key, server.api_key = server.api_key, "another-key-by-now"
    live.exit(book)
    live.run(2)
    assert Account.objects.get(pk=row.pk).link == "REFUSED"
    health.check_links([row.pk])
    assert "LINK_REFUSED" in live.alarms()
    assert Journal.objects.filter(kind="account.link", moved_to="REFUSED").count() == 1
    server.api_key = key
    health.check_links([row.pk])
    assert live.settle()
    assert (live.net("CE"), live.state(book)) == (0, "FLAT")
