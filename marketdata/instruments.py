"""Import of the broker's contract list for the underlyings we trade."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max

from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import Failed, ListedInstrument
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import alarms, journal
from algomirror.ops.heartbeat import beat
from algomirror.ops.models import Heartbeat
from marketdata import terms
from marketdata.domain.listing import Dispute, Held, ListedRow, changes, contract_of, contradiction, disputes, step_of
from marketdata.models import Instrument, InstrumentChange, Underlying
from marketdata.rest import feed_accounts

log = logging.getLogger(__name__)

PROGRESS = "instruments"
CHUNK = 500
INDEX_TICK = Decimal("0.05")
LIST_RENEWS_AFTER = timedelta(hours=8, minutes=30)
RETRY_S = 300
# An import that has not reported for so long died.
HUNG_S = 60
_FIELDS = ["underlying", "kind", "expiry", "strike", "lot_units", "tick", "freeze_units", "listed_on"]


@dataclass(frozen=True, slots=True)
class OtherStep:
    """The nearest expiry's strikes lie another step apart than we count offsets by."""

    underlying: str
    expiry: date
    listed: Decimal
    held: Decimal


@dataclass
class Import:
    """How one import went; counts of rows."""

    account_id: int
    listed: int = 0
    imported: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    disputes: list[Dispute] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    steps: list[OtherStep] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.imported > 0 and not self.failed


def import_instruments(account_id: int, *, actor: str) -> Import:
    """Read the lists of all derivative exchanges through one account and store what belongs to enabled underlyings.

    An exchange whose list could not be read keeps what it had.
    """
    account = Account.objects.filter(pk=account_id, archived_at=None).first()
    if account is None:
        raise Refused("There is no such active account.")
    enabled = list(Underlying.objects.filter(enabled=True))
    if not enabled:
        raise Refused("No underlying is enabled; load the reference data first.")
    outcome = Import(account_id)
    _store([_index_row(row) for row in enabled])
    for exchange in sorted({row.derivative_exchange for row in enabled}):
        _import_exchange(account, exchange, enabled, outcome)
    _tell(outcome, actor)
    return outcome


def _import_exchange(account: Account, exchange: str, enabled: list[Underlying], outcome: Import) -> None:
    _progress(outcome, "reading", exchange)
    answer = gateway_for(account).instruments(exchange)
    if isinstance(answer, Failed):
        outcome.failed[exchange] = f"{answer.why}: {answer.text}"[:200]
        return
    names = frozenset(row.symbol for row in enabled if row.derivative_exchange == exchange)
    rows = list(_believed(answer.value, exchange, names, outcome))
    before = _newest_list(exchange, names)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        _store(chunk)
        outcome.imported += len(chunk)
        _progress(outcome, "storing", exchange, total=len(rows), done=start + len(chunk))
    outcome.steps.extend(_other_steps(rows, enabled))
    _note_changes(exchange, before, {row.symbol: _held(row) for row in rows if row.expiry is not None})


def _believed(listed: Iterable[ListedInstrument], exchange: str, names: frozenset[str], outcome: Import) -> Iterator[Instrument]:
    today, day = clock.today(), list_day()
    reference = terms.book(day)
    disputed: set[Dispute] = set()
    for item in listed:
        row = ListedRow(item.symbol, item.expiry, item.strike, item.lot_units, item.tick, item.freeze_units)
        contract = contract_of(row, names)
        if contract is None or contract.expiry < today:
            continue
        outcome.listed += 1
        if why := contradiction(row, contract):
            outcome.refused[why] += 1
            continue
        held = reference.held(contract.underlying, contract.expiry)
        disputed.update(disputes(contract, row, held))
        listed_terms = {"lot": row.lot_units, "freeze": row.freeze_units, "tick": row.tick}
        decided = {
            name: reference.overridden(contract.underlying, contract.expiry, name, value) for name, value in listed_terms.items()
        }
        yield Instrument(
            exchange=exchange,
            symbol=row.symbol,
            underlying=contract.underlying,
            kind=contract.kind,
            expiry=contract.expiry,
            strike=contract.strike,
            lot_units=int(decided["lot"] or row.lot_units),
            tick=terms.tick_of(row.tick, decided["tick"]),
            freeze_units=terms.freeze_of(row.freeze_units, held, decided["freeze"]),
            listed_on=day,
        )
    ordered = sorted(disputed, key=lambda d: (d.underlying, d.expiry, d.field))
    outcome.disputes.extend(terms.note(ordered, names, day))


def _other_steps(rows: Iterable[Instrument], enabled: Iterable[Underlying]) -> Iterator[OtherStep]:
    strikes: dict[tuple[str, date], set[Decimal]] = defaultdict(set)
    for row in rows:
        if row.expiry is not None and row.strike is not None:
            strikes[row.underlying, row.expiry].add(row.strike)
    for underlying in enabled:
        nearest = min((expiry for name, expiry in strikes if name == underlying.symbol), default=None)
        step = None if nearest is None else step_of(strikes[underlying.symbol, nearest])
        if nearest is not None and step is not None and step != underlying.strike_step:
            yield OtherStep(underlying.symbol, nearest, step, underlying.strike_step)


def _held(row: Instrument) -> Held:
    assert row.expiry is not None
    return Held(row.underlying, row.expiry, row.lot_units, row.freeze_units, row.tick)


def _newest_list(exchange: str, names: frozenset[str]) -> dict[str, Held]:
    """The contracts that the newest list before this one showed and that have not expired."""
    rows = Instrument.objects.filter(exchange=exchange, underlying__in=names, expiry__gte=clock.today())
    shown = newest_lists()
    return {row.symbol: _held(row) for row in rows if row.listed_on == shown.get(row.underlying)}


def _note_changes(exchange: str, before: dict[str, Held], after: dict[str, Held]) -> None:
    now, day = clock.now(), list_day()
    InstrumentChange.objects.bulk_create(
        InstrumentChange(
            day=day,
            at=now,
            exchange=exchange,
            underlying=one.underlying,
            expiry=one.expiry,
            kind=one.kind,
            contracts=one.contracts,
            before=one.before,
            after=one.after,
        )
        for one in changes(before, after)
    )


def _index_row(row: Underlying) -> Instrument:
    return Instrument(
        exchange=row.index_exchange,
        symbol=row.symbol,
        underlying=row.symbol,
        kind=Instrument.Kind.INDEX,
        tick=INDEX_TICK,
        listed_on=list_day(),
    )


def _store(rows: list[Instrument]) -> None:
    Instrument.objects.bulk_create(rows, update_conflicts=True, unique_fields=["exchange", "symbol"], update_fields=_FIELDS)


def _progress(outcome: Import, state: str, exchange: str = "", **numbers: Any) -> None:
    beat(PROGRESS, state=state, exchange=exchange, imported=outcome.imported, failed=outcome.failed, **numbers)


def _tell(outcome: Import, actor: str) -> None:
    _progress(outcome, "done" if outcome.complete else "failed")
    journal.record(
        "instruments.imported" if outcome.complete else "instruments.failed",
        actor=actor,
        account_id=outcome.account_id,
        why="; ".join(f"{exchange}: {text}" for exchange, text in outcome.failed.items()),
        imported=outcome.imported,
        refused=dict(outcome.refused),
        disputes=[[d.underlying, d.expiry, d.field, d.listed, d.held] for d in outcome.disputes],
    )
    for dispute in _one_per_underlying(outcome.disputes):
        alarms.ring(
            "REFERENCE_DISPUTED",
            f"{dispute.underlying} {dispute.field}: the broker's list says {dispute.listed} for expiry {dispute.expiry}, "
            f"our reference {dispute.held}.",
            key=f"{dispute.underlying}:{dispute.field}",
        )
    for other in outcome.steps:
        alarms.ring(
            "REFERENCE_DISPUTED",
            f"{other.underlying} strikes of {other.expiry} lie {other.listed} apart in the broker's list; we count steps of "
            f"{other.held}. Offsets that name an unlisted strike are refused until the step is changed in the admin.",
            key=f"{other.underlying}:step",
        )
    if outcome.refused:
        alarms.ring(
            "INSTRUMENTS_REFUSED",
            f"{sum(outcome.refused.values())} contracts of the broker's list contradict their own names and were left out.",
            key=str(outcome.account_id),
            refused=dict(outcome.refused),
        )


def _one_per_underlying(found: list[Dispute]) -> Iterator[Dispute]:
    seen: set[tuple[str, str]] = set()
    for dispute in found:
        if (dispute.underlying, dispute.field) not in seen:
            seen.add((dispute.underlying, dispute.field))
            yield dispute


def list_day() -> date:
    """The day a list read now belongs to. Servers fetch the day's list after their morning login, so before
    08:30 IST it is still yesterday's."""
    return (clock.now().astimezone(clock.IST) - LIST_RENEWS_AFTER).date()


def newest_lists() -> dict[str, date]:
    """Underlying -> date of the newest list that showed its contracts."""
    contracts = Instrument.objects.exclude(kind=Instrument.Kind.INDEX).order_by()
    return dict(contracts.values_list("underlying").annotate(newest=Max("listed_on")))


def progress() -> dict[str, Any]:
    """The state of the running or last import, with its age in seconds; empty before the first."""
    row = Heartbeat.objects.filter(name=PROGRESS).first()
    return {} if row is None else {**row.detail, "age_s": (clock.now() - row.at).total_seconds()}


def due_account() -> int | None:
    """The account to import through now; None when every list is of today, an import runs, or there is no account."""
    newest, today = newest_lists(), list_day()
    enabled = Underlying.objects.filter(enabled=True).values_list("symbol", flat=True)
    if all(newest.get(symbol, date.min) >= today for symbol in enabled):
        return None
    last = progress()
    if last and last["age_s"] < (RETRY_S if last["state"] in ("failed", "done") else HUNG_S):
        return None
    accounts = feed_accounts()
    return accounts[0].pk if accounts else None
