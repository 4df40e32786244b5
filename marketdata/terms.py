"""Lot, freeze and tick in force: what the broker lists, what we hold, and what a person decided where they differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.kernel.money import parse_decimal
from algomirror.ops import journal
from algomirror.ops.prepared import Prepared
from marketdata.domain.listing import Dispute, Terms, terms_on
from marketdata.models import ContractSpec, FreezeLimit, Instrument, TermsDispute, Underlying

State = TermsDispute.State
_COLUMN = {"lot": "lot_units", "freeze": "freeze_units", "tick": "tick"}
_open_disputes = Prepared(lambda: TermsDispute.objects.filter(state=State.OPEN).order_by("underlying", "expiry", "field"))
DERIVATIVES = (Instrument.Kind.CALL, Instrument.Kind.PUT, Instrument.Kind.FUTURE)


@dataclass(frozen=True)
class Book:
    """All reference terms on one day, read in three queries."""

    specs: dict[str, list[Terms]]
    freezes: dict[str, int]
    overrides: dict[tuple[str, date, str], tuple[str, str]]

    def held(self, underlying: str, expiry: date) -> Terms | None:
        """Our terms for an expiry; a freeze named for today's month goes before that of the contract."""
        found = terms_on(expiry, self.specs.get(underlying, ()))
        freeze = self.freezes.get(underlying)
        return found if found is None or freeze is None else replace(found, freeze_units=freeze)

    def overridden(self, underlying: str, expiry: date, field: str, listed: object) -> str | None:
        """What a person decided to hold instead of exactly this listed figure."""
        decided = self.overrides.get((underlying, expiry, field))
        return decided[1] if decided is not None and decided[0] == str(listed) else None


def book(day: date) -> Book:
    specs: dict[str, list[Terms]] = {}
    for spec in ContractSpec.objects.select_related("underlying"):
        row = Terms(spec.expiring_from, spec.expiring_to, spec.lot_units, spec.freeze_units, spec.tick)
        specs.setdefault(spec.underlying.symbol, []).append(row)
    decided = TermsDispute.objects.filter(Q(until=None) | Q(until__gte=day), state=State.OVERRIDDEN)
    return Book(specs, freezes(day), {(row.underlying, row.expiry, row.field): (row.listed, row.held) for row in decided})


def freezes(day: date) -> dict[str, int]:
    """Underlying -> freeze in force on a trading day; the latest start wins."""
    rows = FreezeLimit.objects.filter(Q(effective_to=None) | Q(effective_to__gte=day), effective_from__lte=day)
    return dict(rows.order_by("effective_from").values_list("underlying__symbol", "freeze_units"))


def note(found: Iterable[Dispute], imported: Iterable[str], day: date) -> list[Dispute]:
    """Write down what a list disputes; those that still wait for a person. One that is gone is settled."""
    waiting, seen = [], set()
    for dispute in found:
        row = _noted(dispute, day)
        seen.add(row.pk)
        if row.state == State.OPEN:
            waiting.append(dispute)
    gone = TermsDispute.objects.filter(underlying__in=list(imported), state=State.OPEN).exclude(pk__in=seen)
    gone.update(state=State.SETTLED, last_seen_on=day)
    return waiting


def _noted(dispute: Dispute, day: date) -> TermsDispute:
    row, is_new = TermsDispute.objects.get_or_create(
        underlying=dispute.underlying,
        expiry=dispute.expiry,
        field=dispute.field,
        defaults={"listed": dispute.listed, "held": dispute.held, "first_seen_on": day, "last_seen_on": day},
    )
    if is_new:
        return row
    decided = row.state == State.OVERRIDDEN and (row.until is None or row.until >= day)
    if not decided or (row.listed, row.held) != (dispute.listed, dispute.held):
        row.state = State.OPEN
    row.listed, row.held, row.last_seen_on = dispute.listed, dispute.held, day
    TermsDispute.objects.filter(pk=row.pk).update(state=row.state, listed=row.listed, held=row.held, last_seen_on=day)
    return row


def disputed() -> dict[str, list[str]]:
    """Underlying -> what waits for a person's decision, and entries with it. One query."""
    found: dict[str, list[str]] = {}
    for row in _open_disputes():
        text = f"{row.field} of {row.underlying} {row.expiry:%d %b %Y} is {row.listed} in the broker's list, {row.held} in ours"
        found.setdefault(row.underlying, []).append(text)
    return found


def freeze_of(listed: int | None, held: Terms | None, override: str | None) -> int | None:
    """The broker's, else ours; the smaller one while they differ and nobody decided: a smaller slice is always legal."""
    if override is not None:
        return int(override)
    known = [units for units in (listed, held.freeze_units if held else None) if units]
    return min(known) if known else None


def accept(dispute_id: int, *, actor: str, onwards: bool) -> None:
    """The broker is right: our terms follow, for this expiry or for it and all later ones."""
    with transaction.atomic():
        row = _claim(dispute_id, State.OPEN, State.ACCEPTED, actor, "the broker's list is right")
        held = _spec_on(row)
        value = row.listed if row.field == "tick" else int(row.listed)
        terms = {"lot_units": held.lot_units, "freeze_units": held.freeze_units, "tick": held.tick, _COLUMN[row.field]: value}
        terms |= {"expiring_to": held.expiring_to if onwards else row.expiry, "source": "accepted from the broker's list"}
        terms["confirmed"] = True
        spec, _ = ContractSpec.objects.update_or_create(underlying=held.underlying, expiring_from=row.expiry, defaults=terms)
        _apply(row, row.listed)
        _tell("reference.accepted", row, actor, spec=spec.pk, onwards=onwards)


def override(dispute_id: int, *, actor: str, reason: str, until: date | None) -> None:
    """We are right: the listed contracts hold our figure until that day, whatever the list says."""
    if not reason.strip():
        raise Refused("An override needs a reason.", fields={"reason": "missing"})
    if until is not None and until < clock.today():
        raise Refused("An override ends today or later.", fields={"until": "past"})
    with transaction.atomic():
        row = _claim(dispute_id, State.OPEN, State.OVERRIDDEN, actor, reason, until)
        _apply(row, row.held)
        _tell("reference.overridden", row, actor, until=until)


def restore(dispute_id: int, *, actor: str) -> None:
    """Take an override back: the list counts again, and the question is open again."""
    with transaction.atomic():
        row = _claim(dispute_id, State.OVERRIDDEN, State.OPEN, actor, "restored")
        smaller = row.field == "freeze" and int(row.held) < int(row.listed)
        _apply(row, row.held if smaller else row.listed)
        _tell("reference.restored", row, actor)


def _claim(dispute_id: int, before: str, after: str, actor: str, reason: str, until: date | None = None) -> TermsDispute:
    claimed = TermsDispute.objects.filter(pk=dispute_id, state=before).update(
        state=after, decided_by=actor, decided_at=clock.now(), reason=reason[:200], until=until
    )
    if claimed != 1:
        raise Conflict("Somebody decided this before, or the lists agree again.")
    return TermsDispute.objects.get(pk=dispute_id)


def _spec_on(row: TermsDispute) -> ContractSpec:
    specs = ContractSpec.objects.filter(underlying__symbol=row.underlying, expiring_from__lte=row.expiry)
    found = specs.filter(Q(expiring_to=None) | Q(expiring_to__gte=row.expiry)).order_by("-expiring_from").first()
    if found is None:
        raise Refused("There are no terms to change for this expiry any more.")
    return found


def _apply(row: TermsDispute, value: str) -> None:
    exact: Any = parse_decimal(value) if row.field == "tick" else int(value)
    contracts = Instrument.objects.filter(underlying=row.underlying, expiry=row.expiry, kind__in=DERIVATIVES)
    contracts.update(**{_COLUMN[row.field]: exact})


def _tell(kind: str, row: TermsDispute, actor: str, **more: Any) -> None:
    journal.record(
        kind,
        actor=actor,
        why=row.reason,
        subject=f"terms:{row.underlying}:{row.expiry}:{row.field}",
        listed=row.listed,
        held=row.held,
        **more,
    )


def apply_freezes(underlying: Underlying, day: date) -> None:
    """After an edit of terms or of the monthly table: the listed contracts of the underlying hold what is in force."""
    reference = book(day)
    contracts = Instrument.objects.filter(underlying=underlying.symbol, kind__in=DERIVATIVES)
    for expiry in contracts.order_by("expiry").values_list("expiry", flat=True).distinct():
        if expiry is None or (underlying.symbol, expiry, "freeze") in reference.overrides:
            continue
        held = reference.held(underlying.symbol, expiry)
        if held is not None:
            contracts.filter(expiry=expiry).update(freeze_units=held.freeze_units)


def largest_slice(lot_units: int, freeze_units: int | None) -> int | None:
    return None if freeze_units is None or lot_units <= 0 else freeze_units // lot_units * lot_units


def tick_of(listed: Decimal, override_: str | None) -> Decimal:
    return listed if override_ is None else parse_decimal(override_) or listed
