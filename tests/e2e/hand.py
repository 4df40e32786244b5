"""What stands in for people and beats where no web server runs: one process per deed, and one that keeps time.

`python -m tests.e2e.hand prepare`, `… time` (prices and beats until killed), `… open 6 65 101.50`, `… cancel-all`, `… convert 7`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from decimal import Decimal
from typing import Any

import django

LOT = 65
BEAT_S = 0.3


def prepare() -> Any:
    from django.core.management import call_command

    from algomirror.demo import connect

    call_command("migrate", interactive=False, verbosity=0)
    call_command("load_reference", always_open=30, verbosity=0)
    call_command("create_owner", username="demo", email="demo@example.invalid", password_env="OWNER_PASSWORD", verbosity=0)
    connect.all_accounts(lambda words: None)
    return contract()


def contract() -> str:
    """The call that everything here is about: the middle strike of the nearest expiry."""
    from marketdata.models import Instrument

    calls = Instrument.objects.filter(underlying="NIFTY", kind="CE").order_by("expiry", "strike")
    nearest = calls.values_list("expiry", flat=True).first()
    strikes = list(calls.filter(expiry=nearest))
    return strikes[len(strikes) // 2].symbol


def keep_time() -> None:
    """Prices as a feed would bring them, beats as the metronome would give them."""
    from accounts.gateway.directory import gateway_for
    from accounts.gateway.reports import Read
    from accounts.models import Account
    from algomirror.kernel import clock
    from marketdata import quotes
    from marketdata.domain.quotes import Quote, Source
    from trading import beats

    account, symbol = Account.objects.order_by("pk")[0], contract()
    while True:
        answer = gateway_for(account).quotes([("NFO", symbol)])
        if isinstance(answer, Read):
            quotes.put(
                [Quote(f"NFO:{q.symbol}", q.last_price, clock.now(), Source.STREAM, bid=q.bid, ask=q.ask) for q in answer.value]
            )
        beats.enqueue()
        time.sleep(BEAT_S)


def open_orders(slices: int, units: int, price: str) -> list[int]:
    """A limit to buy so many slices of `units` each, as a plan would have written it."""
    from accounts.models import Account, User
    from algomirror.kernel import clock
    from algomirror.kernel.ids import new_key
    from trading.models import Order, Run
    from trading.services import intents, wake

    account, symbol = Account.objects.order_by("pk")[0], contract()
    run = Run.objects.create(
        owner=User.objects.get(),
        name="kill",
        mode=account.mode,
        state="ENTERING",
        started_at=clock.now(),
        idempotency_key=new_key(),
    )
    line = intents.EntryLine(
        leg=1,
        purpose="ENTRY",
        exchange="NFO",
        symbol=symbol,
        product="NRML",
        action="BUY",
        units=slices * units,
        lot_units=LOT,
        tick=Decimal("0.05"),
        freeze_units=units,
        price_type="LIMIT",
        price=Decimal(price),
        trigger_price=Decimal(0),
        protected=False,
        decision_price=None,
        permit={"by": "test"},
    )
    (book,) = intents.open_run_books(run=run, lines={account: [line]}, hedge_wait_s=10, entry_until=None, actor="test")
    wake.wake([account.pk])
    return list(Order.objects.filter(book=book).order_by("pk").values_list("pk", flat=True))


def cancel_all() -> int:
    from accounts.models import Account
    from trading.services import cancel

    return cancel.request_for_account(Account.objects.order_by("pk")[0].pk, asked_by="user:demo", why="by hand")


def convert(*order_ids: str) -> list[str]:
    from trading.services import convert as converting

    return [converting.request(int(pk), by="user:demo").state for pk in order_ids]


DEEDS: dict[str, Any] = {
    "prepare": prepare,
    "time": keep_time,
    "open": lambda slices, units, price: open_orders(int(slices), int(units), price),
    "cancel-all": cancel_all,
    "convert": convert,
}

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "algomirror.settings")
    django.setup()
    sys.stdout.write(json.dumps(DEEDS[sys.argv[1]](*sys.argv[2:])) + "\n")
