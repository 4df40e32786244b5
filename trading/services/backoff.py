"""How long an exit waits before its instrument is asked again, by what became of its earlier orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from marketdata import calendar
from trading.domain import exits
from trading.domain.orders import OrderState
from trading.models import Order

S = OrderState

BACK_OFF_S = (1, 2, 4, 8)
# A closed market refuses everything. It is still asked: the calendar may be the one that is wrong.
CLOSED_BACK_OFF_S = 60
# A server that is away for a moment is asked each second; one that stays away gets fewer rows written for it.
AWAY_AFTER = 10


def of(tried: Sequence[Order], ask: exits.Exit) -> list[Order]:
    """The goal's earlier orders of the instrument, newest first."""
    return [o for o in tried if (o.exchange, o.symbol, o.product) == ask.instrument]


def backs_off(tried: Sequence[Order], ask: exits.Exit, now: datetime) -> bool:
    """After rejections in a row the same instrument waits 1, 2, 4, 8 s, then a minute while the market is closed; there also
    after an attempt that was cancelled: some brokers take orders all night, and none fills. Likewise where none left at all.
    """
    mine = of(tried, ask)
    newest = [o for o in mine if o.sent_at is not None][: len(BACK_OFF_S)]
    cancelled = newest[0].sent_at if newest and newest[0].state == S.CANCELED else None
    if cancelled and calendar.is_surely_closed(ask.instrument[0], now):
        return now < cancelled + timedelta(seconds=CLOSED_BACK_OFF_S)
    rejected = list(takewhile(lambda o: o.state == S.REJECTED, newest))
    unsent = list(takewhile(lambda o: o.state == S.DENIED, mine))
    ended = rejected or (unsent if len(unsent) >= AWAY_AFTER else [])
    if not ended or ended[0].finished_at is None:
        return False
    step = min(len(ended), len(BACK_OFF_S)) - 1
    pause = BACK_OFF_S[step]
    if step == len(BACK_OFF_S) - 1 and calendar.is_surely_closed(ask.instrument[0], now):
        pause = CLOSED_BACK_OFF_S
    return now < ended[0].finished_at + timedelta(seconds=pause)
