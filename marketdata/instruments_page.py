"""What the instruments page shows: terms per expiry with their source, slots as dates, disputes, changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count

from algomirror.kernel import clock
from marketdata import instruments, selectors, terms
from marketdata.domain.expiries import Slot
from marketdata.models import ContractSpec, FreezeLimit, Instrument, InstrumentChange, TermsDispute, Underlying

CHANGES_SHOWN = 60
SLOT_NAMES = {
    Slot.CURRENT_WEEK: "current week",
    Slot.NEXT_WEEK: "next week",
    Slot.CURRENT_MONTH: "current month",
    Slot.NEXT_MONTH: "next month",
}


@dataclass(frozen=True)
class Month:
    """Contracts of one expiry that carry the same terms. `source` says whose terms we hold beside the list's."""

    expiry: date
    contracts: int
    lot_units: int
    freeze_units: int | None
    tick: Decimal
    source: str
    confirmed: bool

    @property
    def slice_units(self) -> int | None:
        return terms.largest_slice(self.lot_units, self.freeze_units)


@dataclass(frozen=True)
class UnderlyingView:
    row: Underlying
    listed_on: date | None
    is_stale: bool
    months: list[Month]
    option_slots: list[tuple[str, date | None]]
    future_slots: list[tuple[str, date | None]]
    specs: list[ContractSpec]
    freezes: list[FreezeLimit]


@dataclass(frozen=True)
class InstrumentsPage:
    underlyings: list[UnderlyingView]
    disputes: list[TermsDispute]
    changes: list[InstrumentChange]
    progress: dict[str, Any]
    today: date


def instruments_page(now: datetime) -> InstrumentsPage:
    today, newest, list_day = clock.today(), instruments.newest_lists(), instruments.list_day()
    specs, freezes = _by_symbol(ContractSpec.objects), _by_symbol(FreezeLimit.objects)
    months = _months(today, specs)
    shown = []
    for row in Underlying.objects.all():
        listed_on = newest.get(row.symbol)
        shown.append(
            UnderlyingView(
                row=row,
                listed_on=listed_on,
                is_stale=row.enabled and (listed_on is None or listed_on < list_day),
                months=months.get(row.symbol, []),
                option_slots=_slots(row, now) if row.enabled else [],
                future_slots=_future_slots(row, now) if row.enabled else [],
                specs=specs.get(row.symbol, []),
                freezes=freezes.get(row.symbol, []),
            )
        )
    disputes = TermsDispute.objects.filter(state__in=[TermsDispute.State.OPEN, TermsDispute.State.OVERRIDDEN])
    return InstrumentsPage(
        underlyings=sorted(shown, key=lambda view: not view.row.enabled),
        disputes=list(disputes),
        changes=list(InstrumentChange.objects.all()[:CHANGES_SHOWN]),
        progress=instruments.progress(),
        today=today,
    )


def _by_symbol(manager: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in manager.select_related("underlying"):
        found.setdefault(row.underlying.symbol, []).append(row)
    return found


def _months(today: date, specs: dict[str, list[ContractSpec]]) -> dict[str, list[Month]]:
    rows = (
        Instrument.objects.filter(kind__in=terms.DERIVATIVES, expiry__gte=today)
        .values_list("underlying", "expiry", "lot_units", "freeze_units", "tick")
        .annotate(contracts=Count("id"))
        .order_by("underlying", "expiry")
    )
    found: dict[str, list[Month]] = {}
    for symbol, expiry, lot, freeze, tick, contracts in rows:
        if expiry is None:
            continue
        spec = _spec_on(expiry, specs.get(symbol, []))
        source, confirmed = (spec.source, spec.confirmed) if spec else ("the broker's list alone", True)
        found.setdefault(symbol, []).append(Month(expiry, contracts, lot, freeze, tick, source, confirmed))
    return found


def _spec_on(expiry: date, specs: Iterable[ContractSpec]) -> ContractSpec | None:
    matching = [s for s in specs if s.expiring_from <= expiry and (s.expiring_to is None or expiry <= s.expiring_to)]
    return max(matching, key=lambda s: s.expiring_from, default=None)


def _slots(row: Underlying, now: datetime) -> list[tuple[str, date | None]]:
    found = selectors.slots(row.symbol, now)
    wanted = [slot for slot in Slot if row.has_weeklies or slot not in (Slot.CURRENT_WEEK, Slot.NEXT_WEEK)]
    return [(SLOT_NAMES[slot], found.get(slot)) for slot in wanted]


def _future_slots(row: Underlying, now: datetime) -> list[tuple[str, date | None]]:
    found = selectors.slots(row.symbol, now, "FUT")
    return [(SLOT_NAMES[slot], found.get(slot)) for slot in (Slot.CURRENT_MONTH, Slot.NEXT_MONTH)]
