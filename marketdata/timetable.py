"""Editing of the calendar by a person: single rows, and proposals from a file or a server that wait for approval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from typing import Any

from django.db import transaction
from django.db.models import Model

from accounts.gateway.directory import gateway_for
from accounts.gateway.listing import expiry_date
from accounts.gateway.reports import Failed
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.kernel.money import parse_decimal
from algomirror.ops import alarms, journal
from marketdata import calendar
from marketdata.domain.timetable import EXCHANGES, Difference, Entry, compare, compare_with_server, read
from marketdata.models import CalendarProposal, Holiday, MisCutoff, SpecialSession, TradingHours
from marketdata.reference.edit import edited, facts

COVER_DAYS = 30
MOST_BYTES = 1_000_000
MODELS: dict[str, type[Model]] = {
    "HOURS": TradingHours,
    "HOLIDAY": Holiday,
    "SPECIAL": SpecialSession,
    "CUTOFF": MisCutoff,
}
_SERVER_KINDS = {"TRADING_HOLIDAY": "TRADING", "SETTLEMENT_HOLIDAY": "SETTLEMENT"}


def entries(exchange: str = "") -> list[Entry]:
    """All rows that count, in four queries."""
    only = {"exchange": exchange} if exchange else {}
    found = [_hours(row) for row in TradingHours.objects.filter(**only)]
    found += [_holiday(row) for row in Holiday.objects.filter(retired_at=None, **only)]
    found += [_cutoff(row) for row in MisCutoff.objects.filter(**only).select_related("account")]
    return found + [_special(row) for row in SpecialSession.objects.filter(retired_at=None, **only)]


def _hours(row: TradingHours) -> Entry:
    return Entry(
        "HOURS",
        row.exchange,
        weekday=str(row.weekday),
        opens=row.opens.isoformat(),
        closes=row.closes.isoformat(),
        effective_from=row.effective_from.isoformat(),
        effective_to=row.effective_to.isoformat() if row.effective_to else "",
    )


def _holiday(row: Holiday) -> Entry:
    return Entry("HOLIDAY", row.exchange, row.date.isoformat(), row.name, row.kind)


def _special(row: SpecialSession) -> Entry:
    return Entry(
        "SPECIAL",
        row.exchange,
        row.date.isoformat(),
        row.name,
        opens=row.opens.isoformat(),
        closes=row.closes.isoformat(),
        confirmed="yes" if row.confirmed else "no",
    )


def _cutoff(row: MisCutoff) -> Entry:
    return Entry(
        "CUTOFF",
        row.exchange,
        closes=row.at.isoformat(),
        effective_from=row.effective_from.isoformat(),
        effective_to=row.effective_to.isoformat() if row.effective_to else "",
        broker=row.broker,
        account="" if row.account is None else row.account.name,
    )


def put(entry: Entry, *, actor: str, exchanges: Iterable[str] = ()) -> None:
    """Add or change one row, on several exchanges alike when they are named. Counts at once, everywhere within a second."""
    put_all([Entry(**{**asdict(entry), "exchange": exchange}) for exchange in list(exchanges) or [entry.exchange]], actor=actor)


def put_all(wanted: Iterable[Entry], *, actor: str) -> None:
    """All of them or none."""
    with transaction.atomic():
        for entry in wanted:
            _put(entry, actor)


def _put(entry: Entry, actor: str) -> None:
    model, key, values = _stored(entry)
    row = model._default_manager.filter(**key).first()
    before = None if row is None else facts(row)
    if row is None:
        row = model(**key, **values)
    else:
        for name, value in values.items():
            setattr(row, name, value)
    row.full_clean()
    row.save()
    edited(row, actor=actor, before=before)


def _stored(entry: Entry) -> tuple[type[Model], dict[str, Any], dict[str, Any]]:
    """The model, the fields that identify the row, and the others."""
    key: dict[str, Any] = {"exchange": entry.exchange}
    if entry.kind == "HOLIDAY":
        values: dict[str, Any] = {"name": entry.name, "kind": entry.holiday_kind, "retired_at": None}
        return Holiday, key | {"date": date.fromisoformat(entry.date)}, values
    if entry.kind == "CUTOFF":
        return _stored_cutoff(entry)
    hours = {"opens": time.fromisoformat(entry.opens), "closes": time.fromisoformat(entry.closes)}
    if entry.kind == "SPECIAL":
        values = {**hours, "confirmed": entry.confirmed == "yes", "retired_at": None}
        return SpecialSession, key | {"date": date.fromisoformat(entry.date), "name": entry.name}, values
    until = date.fromisoformat(entry.effective_to) if entry.effective_to else None
    key |= {"weekday": int(entry.weekday), "effective_from": date.fromisoformat(entry.effective_from)}
    return TradingHours, key, {**hours, "effective_to": until}


def _stored_cutoff(entry: Entry) -> tuple[type[Model], dict[str, Any], dict[str, Any]]:
    account = Account.objects.filter(name=entry.account).first() if entry.account else None
    if entry.account and account is None:
        raise Refused(f"There is no account {entry.account}.", fields={"account": "unknown"})
    key = {
        "exchange": entry.exchange,
        "broker": entry.broker,
        "account": account,
        "effective_from": date.fromisoformat(entry.effective_from),
    }
    until = date.fromisoformat(entry.effective_to) if entry.effective_to else None
    return MisCutoff, key, {"at": time.fromisoformat(entry.closes), "effective_to": until}


def retire(kind: str, row_id: int, *, actor: str, last_day: date | None = None) -> None:
    """Hours and cut-offs end with `last_day` (today by default); a holiday or special session counts no more but stays."""
    model = MODELS[kind]
    with transaction.atomic():
        row = model._default_manager.filter(pk=row_id).first()
        if row is None:
            raise Refused("There is no such row any more.")
        before = facts(row)
        if isinstance(row, (TradingHours, MisCutoff)):
            row.effective_to = last_day or clock.today()
            if row.effective_to < row.effective_from:
                raise Refused("It cannot end before it begins.", fields={"effective_to": "too early"})
        elif isinstance(row, (Holiday, SpecialSession)):
            if row.retired_at is not None:
                raise Conflict("It was retired before.")
            row.retired_at = clock.now()
        row.save()
        edited(row, actor=actor, before=before)


def propose_file(text: str, *, name: str, actor: str) -> CalendarProposal:
    """Compare a CSV with the calendar. Refused with every wrong line named; nothing counts before approval."""
    if len(text) > MOST_BYTES:
        raise Refused("The file is larger than 1 MB.", fields={"file": "size"})
    offered, errors = read(text, set(Account.objects.values_list("name", flat=True)))
    if errors:
        raise Refused("Nothing was read. " + "; ".join(errors[:10]), fields={"file": errors[0]})
    return _propose(compare(entries(), offered), source=f"file {name}"[:120], actor=actor)


def propose_server(account: Account, *, actor: str) -> CalendarProposal:
    """Compare a server's dates of this and the next year with ours. Asks the server: not in a transaction."""
    year = clock.today().year
    offered: list[Entry] = []
    years = []
    for asked in (year, year + 1):
        answer = gateway_for(account).holidays(asked)
        if isinstance(answer, Failed):
            raise Refused(f"{account.name} did not give its calendar: {answer.text}"[:300])
        if answer.value:  # an empty year is one that the server knows nothing about
            years.append(str(asked))
            offered += [entry for row in answer.value for entry in from_server(row)]
    if not years:
        raise Refused(f"{account.name} knows no holidays of {year} or {year + 1}.")
    found = compare_with_server(entries(), offered, frozenset(years))
    return _propose(found, source=f"server of {account.name}"[:120], actor=actor)


def from_server(row: Mapping[str, Any]) -> list[Entry]:
    """Entries of our exchanges. A server on another time zone gives shifted hours: special ones come unconfirmed."""
    day = expiry_date(row.get("date"))
    if day is None:
        return []
    name = str(row.get("description") or "Holiday").strip()[:80]
    if kind := _SERVER_KINDS.get(str(row.get("holiday_type"))):
        closed = [name for name in row.get("closed_exchanges") or [] if name in EXCHANGES]
        return [Entry("HOLIDAY", exchange, day.isoformat(), name, kind) for exchange in closed]
    sessions = [one for one in row.get("open_exchanges") or [] if isinstance(one, Mapping)]
    return [entry for one in sessions if (entry := _special_of(one, day, name)) is not None]


def _special_of(one: Mapping[str, Any], day: date, name: str) -> Entry | None:
    opens, closes = (_clock_time(one.get(which)) for which in ("start_time", "end_time"))
    if one.get("exchange") not in EXCHANGES or opens is None or closes is None or opens >= closes:
        return None
    return Entry("SPECIAL", str(one["exchange"]), day.isoformat(), name, opens=opens, closes=closes, confirmed="no")


def _clock_time(epoch_ms: object) -> str | None:
    at = parse_decimal(epoch_ms)
    if at is None or not 0 < at < 10**13:
        return None
    return datetime.fromtimestamp(int(at) // 1000, UTC).astimezone(clock.IST).time().isoformat()


def _propose(found: Sequence[Difference], *, source: str, actor: str) -> CalendarProposal:
    with transaction.atomic():
        made = CalendarProposal.objects.create(
            made_at=clock.now(), made_by=actor, source=source, changes=[one.plain() for one in found]
        )
        journal.record("calendar.proposed", actor=actor, subject=f"proposal:{made.pk}", why=source, changes=len(found))
    return made


def approve(proposal_id: int, chosen: Iterable[int], *, actor: str) -> int:
    """Put the chosen changes into force together, once; how many."""
    with transaction.atomic():
        proposal = _close(proposal_id, CalendarProposal.State.APPLIED)
        wanted = {at for at in chosen if 0 <= at < len(proposal.changes)}
        changes = [proposal.changes[at] for at in sorted(wanted) if proposal.changes[at]["act"] != "ONLY_HERE"]
        for change in changes:
            _put(Entry(**change["entry"]), actor)
        journal.record(
            "calendar.approved", actor=actor, subject=f"proposal:{proposal_id}", why=proposal.source, changes=len(changes)
        )
    return len(changes)


def discard(proposal_id: int, *, actor: str) -> None:
    with transaction.atomic():
        proposal = _close(proposal_id, CalendarProposal.State.DISCARDED)
        journal.record("calendar.discarded", actor=actor, subject=f"proposal:{proposal_id}", why=proposal.source)


def _close(proposal_id: int, state: str) -> CalendarProposal:
    claimed = CalendarProposal.objects.filter(pk=proposal_id, state=CalendarProposal.State.OPEN).update(state=state)
    if claimed != 1:
        raise Conflict("This proposal was decided before.")
    return CalendarProposal.objects.get(pk=proposal_id)


def uncovered() -> dict[str, date | None]:
    """Exchanges whose holidays are not known for the next 30 days, with the last date that is; None: not even today's."""
    today = clock.today()
    ends = {exchange: calendar.coverage_end(exchange, days=COVER_DAYS) for exchange in calendar.EXCHANGES}
    return {exchange: end for exchange, end in ends.items() if end is None or (end - today).days < COVER_DAYS}


def warn_if_uncovered() -> None:
    if missing := uncovered():
        first = min((end for end in missing.values() if end is not None), default=None)
        until = f"only to {first}" if first else "not even for today"
        alarms.ring("CALENDAR_UNCOVERED", f"Holidays of {', '.join(missing)} are known {until}; load the next year's list.")
