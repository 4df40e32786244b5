"""Seeding of dated reference data. Adds what is missing and never touches a row that exists."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
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


def load(*, actor: str, always_open_days: int = 0) -> dict[str, int]:
    """Rows added, by kind. `always_open_days` adds round-the-clock sessions for today and the days after it; demo only."""
    seed = tomllib.loads(SEED.read_text(encoding="utf-8"))
    with transaction.atomic():
        added = {
            "underlyings": sum(_underlyings(seed)),
            "contract terms": sum(_specs(seed)),
            "freeze limits": sum(_freezes(seed)),
            "trading hours": sum(_hours(seed)),
            "holidays": sum(_holidays(seed)),
            "special sessions": sum(_specials(seed)),
        }
        if always_open_days:
            added["demo sessions"] = sum(_demo_sessions(always_open_days))
        if any(added.values()):
            journal.record("reference.loaded", actor=actor, why=seed["source"], as_of=seed["as_of"], added=added)
    calendar.forget()
    return added


def _add(model: type[Model], defaults: dict[str, Any], **key: Any) -> bool:
    return bool(model._default_manager.get_or_create(defaults=defaults, **key)[1])


def _underlyings(seed: dict[str, Any]) -> Iterator[bool]:
    for order, row in enumerate(seed["underlying"]):
        terms = {name: value for name, value in row.items() if name not in ("symbol", "strike_step")}
        terms |= {"strike_step": Decimal(row["strike_step"]), "display_order": order}
        yield _add(Underlying, terms, symbol=row["symbol"])


def _specs(seed: dict[str, Any]) -> Iterator[bool]:
    by_symbol = {row.symbol: row for row in Underlying.objects.all()}
    for row in seed["spec"]:
        terms = {name: row[name] for name in ("lot_units", "freeze_units", "source")}
        terms |= {"tick": Decimal(row["tick"]), "confirmed": row.get("confirmed", True), "expiring_to": row.get("expiring_to")}
        yield _add(ContractSpec, terms, underlying=by_symbol[row["underlying"]], expiring_from=row["expiring_from"])


def _freezes(seed: dict[str, Any]) -> Iterator[bool]:
    by_symbol = {row.symbol: row for row in Underlying.objects.all()}
    for row in seed["freeze"]:
        terms = {name: row[name] for name in ("freeze_units", "source")}
        terms |= {"confirmed": row.get("confirmed", True), "effective_to": row.get("effective_to")}
        yield _add(FreezeLimit, terms, underlying=by_symbol[row["underlying"]], effective_from=row["effective_from"])


def _hours(seed: dict[str, Any]) -> Iterator[bool]:
    for row in seed["hours"]:
        times = {"opens": row["opens"], "closes": row["closes"], "effective_to": row.get("effective_to")}
        for exchange in row["exchanges"]:
            for weekday in range(5):
                yield _add(TradingHours, times, exchange=exchange, weekday=weekday, effective_from=row["effective_from"])


def _holidays(seed: dict[str, Any]) -> Iterator[bool]:
    for day, name in seed["holidays"]["dates"].items():
        for exchange in seed["holidays"]["exchanges"]:
            yield _add(Holiday, {"name": name}, exchange=exchange, date=date.fromisoformat(day))


def _specials(seed: dict[str, Any]) -> Iterator[bool]:
    for row in seed["special"]:
        times = {"opens": row["opens"], "closes": row["closes"], "confirmed": row.get("confirmed", True)}
        for exchange in row["exchanges"]:
            yield _add(SpecialSession, times, exchange=exchange, date=row["date"], name=row["name"])


def _demo_sessions(days: int) -> Iterator[bool]:
    for ahead in range(days + 1):
        day = clock.today() + timedelta(days=ahead)
        for exchange in calendar.EXCHANGES:
            times = {"opens": time(), "closes": END_OF_DAY}
            yield _add(SpecialSession, times, exchange=exchange, date=day, name=DEMO_SESSION)
