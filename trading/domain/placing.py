"""When the broker says that an order was placed, and which of our orders it can be.

A broker's clock is not trusted: its text may be the time of the last change, and its zone may be another. It is held against
the same book's rows of orders whose answer came, and breaks ties between lost orders of one book only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from accounts.gateway.times import moment
from algomirror.kernel import clock
from trading.domain.news import OurOrder, SeenOrder

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class BrokerClock:
    """The clock of one book. `ahead`: by how much it is ahead of ours at least; negative, it may be behind."""

    ahead: timedelta
    day: date

    @classmethod
    def told_by(cls, ours: Sequence[OurOrder], seen: Sequence[SeenOrder], now: datetime) -> BrokerClock:
        """By the orders whose answer came: none of them was placed after it. Without one the clock is taken at its word."""
        day = clock.trading_day(now)
        written = {s.row.broker_order_id: s.row.placed_at for s in seen}
        differences = [
            at - order.answered_at
            for order in ours
            if order.answered_at is not None and (at := moment(written.get(order.broker_order_id, ""), day)) is not None
        ]
        return cls(min(differences, default=timedelta()), day)

    def could_be(self, order: OurOrder, seen: SeenOrder) -> bool:
        """False: the broker had it, as it says, before this order was sent. Its seconds are cut off."""
        at = moment(seen.row.placed_at, self.day)
        return at is None or order.sent_at is None or at + _SECOND - self.ahead >= order.sent_at
