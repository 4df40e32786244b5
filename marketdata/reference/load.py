"""Seeding of dated reference data. Adds what is missing and never touches a row that exists."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Model

from algomirror.kernel import clock
from algomirror.ops import journal
from marketdata import calendar
from marketdata.domain.sessions import END_OF_DAY
from marketdata.models import ContractSpec, FreezeLimit, Holiday, SpecialSession, TradingHours, Underlying

SEED = Path(__file__).with_name("india.toml")
DEMO_SESSION = "Demo session"


Row = tuple[dict[str, Any], dict[str, Any]]  # what it is known by, and what it says the first time


def load(*, actor: str, always_open_days: int = 0) -> dict[str, int]:
    """Rows added, by kind. `always_open_days` adds round-the-clock sessions for today and the days after it; demo only."""
    seed = tomllib.loads(SEED.read_text(encoding="utf-8"))
    with transaction.atomic():
        added = {
            "underlyings": _add(Underlying, _underlyings(seed)),
            "contract terms": _add(ContractSpec, _specs(seed)),
            "freeze limits": _add(FreezeLimit, _freezes(seed)),
            "trading hours": _add(TradingHours, _hours(seed)),
            "holidays": _add(Holiday, _holidays(seed)),
            "special sessions": _add(SpecialSession, _specials(seed)),
        }
        if always_open_days:
            added["demo sessions"] = _add(SpecialSession, _demo_sessions(always_open_days))
        if any(added.values()):
            journal.record("reference.loaded", actor=actor, why=seed["source"], as_of=seed["as_of"], added=added)
    calendar.forget()
    return added


def _add(model: type[Model], rows: Iterable[Row]) -> int:
    """Those whose key no row has yet; how many."""
    rows = list(rows)
    if not rows:
        return 0
    names = tuple(rows[0][0])
    known = set(model._default_manager.values_list(*names))
    new = [model(**key, **terms) for key, terms in rows if tuple(key.values()) not in known]
    # Who loads at the same moment adds the same rows.
    model._default_manager.bulk_create(new, ignore_conflicts=True)
    return len(new)


def _underlyings(seed: dict[str, Any]) -> Iterator[Row]:
    for order, row in enumerate(seed["underlying"]):
        terms = {name: value for name, value in row.items() if name not in ("symbol", "strike_step")}
        terms |= {"strike_step": Decimal(row["strike_step"]), "display_order": order}
        yield {"symbol": row["symbol"]}, terms


def _specs(seed: dict[str, Any]) -> Iterator[Row]:
    by_symbol = dict(Underlying.objects.values_list("symbol", "pk"))
    for row in seed["spec"]:
        terms = {name: row[name] for name in ("lot_units", "freeze_units", "source")}
        terms |= {"tick": Decimal(row["tick"]), "confirmed": row.get("confirmed", True), "expiring_to": row.get("expiring_to")}
        yield {"underlying_id": by_symbol[row["underlying"]], "expiring_from": row["expiring_from"]}, terms


def _freezes(seed: dict[str, Any]) -> Iterator[Row]:
    by_symbol = dict(Underlying.objects.values_list("symbol", "pk"))
    for row in seed["freeze"]:
        terms = {name: row[name] for name in ("freeze_units", "source")}
        terms |= {"confirmed": row.get("confirmed", True), "effective_to": row.get("effective_to")}
        yield {"underlying_id": by_symbol[row["underlying"]], "effective_from": row["effective_from"]}, terms


def _hours(seed: dict[str, Any]) -> Iterator[Row]:
    for row in seed["hours"]:
        times = {"opens": row["opens"], "closes": row["closes"], "effective_to": row.get("effective_to")}
        for exchange in row["exchanges"]:
            for weekday in range(5):
                yield {"exchange": exchange, "weekday": weekday, "effective_from": row["effective_from"]}, times


def _holidays(seed: dict[str, Any]) -> Iterator[Row]:
    for day, name in seed["holidays"]["dates"].items():
        for exchange in seed["holidays"]["exchanges"]:
            yield {"exchange": exchange, "date": date.fromisoformat(day)}, {"name": name}


def _specials(seed: dict[str, Any]) -> Iterator[Row]:
    for row in seed["special"]:
        times = {"opens": row["opens"], "closes": row["closes"], "confirmed": row.get("confirmed", True)}
        for exchange in row["exchanges"]:
            yield {"exchange": exchange, "date": row["date"], "name": row["name"]}, times


def _demo_sessions(days: int) -> Iterator[Row]:
    for ahead in range(days + 1):
        day = clock.today() + timedelta(days=ahead)
        for exchange in calendar.EXCHANGES:
            yield {"exchange": exchange, "date": day, "name": DEMO_SESSION}, {"opens": time(), "closes": END_OF_DAY}
