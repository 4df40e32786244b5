"""Books that cannot be read while something is at stake: what fills, or is closed elsewhere, is not seen."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.ops import alarms
from marketdata import calendar
from trading.domain.orders import LIVE_STATES
from trading.models import Order, Position

UNREAD_FOR = timedelta(seconds=60)


def tell(account: Account) -> None:
    """Call a person when a book whose last reading failed was not read whole for a minute, in a market that may be open."""
    now = clock.now()
    failed = BrokerRead.objects.filter(account_id=account.pk).exclude(kind=BrokerRead.Kind.FUNDS).exclude(error="")
    old = failed.filter(Q(started_at=None) | Q(started_at__lt=now - UNREAD_FOR)).exclude(kind=BrokerRead.Kind.HOLDINGS)
    found = sorted(old.values_list("kind", "error"))
    if not found or all(calendar.is_surely_closed(exchange, now) for exchange in _at_stake(account.pk)):
        return
    books = ", ".join(str(BrokerRead.Kind(kind).label).lower() for kind, _ in found)
    text = f"{account.name}: {books} not read whole for {UNREAD_FOR.seconds} s or more ({found[0][1]}); look at the broker"
    alarms.ring("BOOK_UNREAD", text, account_id=account.pk)


def _at_stake(account_id: int) -> set[str]:
    """Exchanges where a book of this account holds something, or an order of it may fill."""
    held = Position.objects.filter(book__account_id=account_id).exclude(units=0).values_list("exchange", flat=True)
    live = Order.objects.filter(account_id=account_id, state__in=[s.value for s in LIVE_STATES])
    return {*held.distinct(), *live.order_by().values_list("exchange", flat=True).distinct()}
