"""The margin table, the grades and the charge rates: read for sizing, edited by people, journaled."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.kernel.money import ZERO, to_paisa
from algomirror.ops import journal
from risk.domain.sizing import Table
from risk.models import ChargeRate, MarginRequirement, TradeGrade
from trading.domain.charges import Rates

RACED = "Somebody else saved this rate just now."


def table() -> Table:
    return {(row.underlying, row.kind, row.is_expiry): row.rupees for row in MarginRequirement.objects.all()}


def set_figure(underlying: str, kind: str, is_expiry: bool, rupees: Decimal, *, by: str) -> MarginRequirement:
    """One figure of the table, new or changed."""
    row = MarginRequirement.objects.filter(underlying=underlying, kind=kind, is_expiry=is_expiry).first()
    before = None if row is None else row.rupees
    row = row or MarginRequirement(underlying=underlying, kind=kind, is_expiry=is_expiry)
    row.rupees = rupees
    _validated(row, "The margin figure was not saved.")
    with transaction.atomic():
        row.save()
        if before != rupees:
            journal.record("margin.figure", actor=by, subject=f"{underlying} {kind}", was=before, now=rupees, is_expiry=is_expiry)
    return row


def save_grade(
    *, name: str, share: Decimal, basis: str, description: str, by: str, grade: TradeGrade | None = None
) -> TradeGrade:
    """A new custom grade, or other terms of one. The name of a standard grade (A, B, C) stays."""
    before = None if grade is None else f"{grade.name} {grade.share:f} {grade.basis}"
    row = grade or TradeGrade()
    row.name = row.name if row.is_standard else name.strip()
    row.share, row.basis, row.description = share, basis, description.strip()
    _validated(row, "The grade was not saved.")
    try:
        with transaction.atomic():
            row.save()
            now = f"{row.name} {row.share:f} {row.basis}"
            journal.record("margin.grade", actor=by, subject=f"grade:{row.name}", was=before, now=now)
    except IntegrityError as error:
        raise Refused("The grade was not saved.", fields={"name": "this name is taken"}) from error
    return row


def archive_grade(grade: TradeGrade, *, by: str) -> None:
    """Out of the choices; versions that use it keep it. Standard grades stay."""
    if grade.is_standard:
        raise Refused("Grades A, B and C can be changed, not removed.")
    with transaction.atomic():
        if TradeGrade.objects.filter(pk=grade.pk, archived_at=None).update(archived_at=clock.now()):
            journal.record("margin.grade", actor=by, subject=f"grade:{grade.name}", was="in use", now="archived")


def grades() -> list[TradeGrade]:
    return list(TradeGrade.objects.filter(archived_at=None))


def save_rate(row: ChargeRate, *, by: str) -> bool:
    """A rate from a date on; earlier days keep the rate they had. Journaled with what it was; False: it was so already."""
    _validated(row, "The rate was not saved.")
    with transaction.atomic():
        before = ChargeRate.objects.filter(pk=row.pk).first()
        if before is None:
            row.save()
        elif _told(before) == _told(row):
            return False
        elif not ChargeRate.objects.filter(pk=row.pk, **_columns(before)).update(**_columns(row)):
            raise Conflict(RACED)
        was: dict[str, Any] = {} if before is None else {"was": _told(before)}
        journal.record("charges.rate", actor=by, subject=f"{row.item} {row.exchange}", **_told(row), **was)
    return True


def put_rate(*, item: str, exchange: str, is_future: bool, effective_from: date, share: Decimal, by: str) -> bool:
    """The share (of the value; 0.0015 is 0.15 %) that counts from a day on. Item, exchange, kind and day name the row.

    False: it was so already. Refused with fields when there is no such charge.
    """
    if is_future and item == ChargeRate.Item.EXERCISE_STT:
        raise Refused("The rate was not saved.", fields={"item": "futures are not exercised"})
    key = {"item": item, "exchange": exchange, "is_future": is_future, "effective_from": effective_from}
    row = ChargeRate.objects.filter(**key).first() or ChargeRate(**key)
    row.share = share
    try:
        return save_rate(row, by=by)
    except (IntegrityError, Refused) as error:
        if row._state.adding and ChargeRate.objects.filter(**key).exists():
            raise Conflict(RACED) from error
        raise


def _columns(row: ChargeRate) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("item", "exchange", "is_future", "effective_from", "share")}


def _told(row: ChargeRate) -> dict[str, Any]:
    named = {"item": row.item, "exchange": row.exchange, "is_future": row.is_future}
    return {**named, "start": row.effective_from.isoformat(), "share": f"{row.share.normalize():f}"}


def dated_rates() -> list[ChargeRate]:
    """All rates, the newest of each kind first, each with `in_force`: whether it counts today."""
    today, current = clock.today(), set[tuple[str, bool, str]]()
    rows = list(ChargeRate.objects.all())
    for row in rows:
        kind = (row.exchange, row.is_future, row.item)
        row.in_force = row.effective_from <= today and kind not in current  # type: ignore[attr-defined]
        if row.effective_from <= today:
            current.add(kind)
    return rows


class RateBook:
    """All charge rates, read once, asked by day."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, bool, str], list[tuple[date, Decimal]]] = defaultdict(list)
        for row in ChargeRate.objects.order_by("effective_from"):
            self._rows[row.exchange, row.is_future, row.item].append((row.effective_from, row.share))

    def on(self, exchange: str, is_future: bool, day: date) -> Rates | None:
        """Rates in force on a day; None while any of them is missing."""
        parts = [self._share(exchange, is_future, item, day) for item in ("STT", "TRANSACTION", "SEBI", "STAMP", "GST")]
        known = [part for part in parts if part is not None]
        return Rates(*known) if len(known) == len(parts) else None

    def exercise_tax(self, exchange: str, action: str, value: Decimal, day: date) -> Decimal | None:
        """What the holder of an expired option pays on what it is worth; None while the rate is missing."""
        if action != "SELL" or not value:
            return ZERO
        share = self._share(exchange, False, "EXERCISE_STT", day)
        return None if share is None else to_paisa(value * share)

    def _share(self, exchange: str, is_future: bool, item: str, day: date) -> Decimal | None:
        shares = [share for start, share in self._rows[exchange, is_future, item] if start <= day]
        return shares[-1] if shares else None


def _validated(row: MarginRequirement | TradeGrade | ChargeRate, message: str) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise Refused(message, fields={name: " ".join(texts) for name, texts in error.message_dict.items()}) from error
