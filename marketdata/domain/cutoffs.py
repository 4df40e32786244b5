"""When a broker closes MIS positions itself: an account's own row, else its broker's, else the row for every broker."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time


@dataclass(frozen=True, slots=True)
class CutoffRow:
    """`broker` "" and `account_id` None mean every broker. `at` is a time of day in India."""

    exchange: str
    broker: str
    account_id: int | None
    at: time
    effective_from: date
    effective_to: date | None

    def covers(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


class Cutoffs:
    """The rows of all exchanges, indexed for questions. Of rows that cover one date the latest start counts."""

    def __init__(self, rows: Iterable[CutoffRow], brokers: Mapping[int, str]) -> None:
        self._brokers = brokers
        self._rows: dict[tuple[str, str, int | None], list[CutoffRow]] = defaultdict(list)
        for row in sorted(rows, key=lambda r: r.effective_from, reverse=True):
            self._rows[row.exchange, row.broker.lower(), row.account_id].append(row)

    def of(self, exchange: str, day: date, account_id: int | None) -> CutoffRow | None:
        broker = "" if account_id is None else self._brokers.get(account_id, "").lower()
        for key in ((exchange, "", account_id), (exchange, broker, None), (exchange, "", None)):
            for row in self._rows.get(key, ()):
                if row.covers(day):
                    return row
        return None
