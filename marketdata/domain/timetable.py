"""The calendar as rows that travel: read from a file or a server, compared with what we hold, approved one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date, time
from typing import Any, Literal

EXCHANGES = ("NSE", "BSE", "NFO", "BFO")
KINDS = ("HOURS", "HOLIDAY", "SPECIAL", "CUTOFF")
HOLIDAY_KINDS = ("TRADING", "SETTLEMENT", "BOTH")
MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One row; texts as they are written: dates YYYY-MM-DD, times HH:MM[:SS], "" where a column does not apply."""

    kind: str
    exchange: str
    date: str = ""
    name: str = ""
    holiday_kind: str = ""
    weekday: str = ""
    opens: str = ""
    closes: str = ""
    effective_from: str = ""
    effective_to: str = ""
    confirmed: str = ""
    broker: str = ""
    account: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What one row of the calendar may exist once of."""
        if self.kind == "HOURS":
            return self.kind, self.exchange, self.weekday, self.effective_from
        if self.kind == "CUTOFF":
            return self.kind, self.exchange, self.broker, self.account, self.effective_from
        return (self.kind, self.exchange, self.date) + ((self.name,) if self.kind == "SPECIAL" else ())

    @property
    def said(self) -> str:
        """For a person: what the row says beside its identity."""
        if self.kind == "HOLIDAY":
            return f"{self.name} ({self.holiday_kind.lower()})"
        if self.kind == "CUTOFF":
            return f"MIS {self.closes} to {self.effective_to or 'further notice'}"
        hours = f"{self.opens}-{self.closes}"
        if self.kind == "SPECIAL":
            return f"{self.name} {hours}" + ("" if self.confirmed == "yes" else ", unconfirmed")
        return f"{hours} to {self.effective_to or 'further notice'}"


COLUMNS = tuple(column.name for column in fields(Entry))


@dataclass(frozen=True, slots=True)
class Difference:
    """ADD: we lack it. CHANGE: ours says `before`. ONLY_HERE: the other side lacks it, for information."""

    act: Literal["ADD", "CHANGE", "ONLY_HERE"]
    entry: Entry
    before: Entry | None = None

    def plain(self) -> dict[str, Any]:
        return {"act": self.act, "entry": asdict(self.entry), "before": None if self.before is None else asdict(self.before)}


def written(entries: Iterable[Entry]) -> str:
    """CSV with a header line, sorted, so that two exports of one calendar are the same text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(asdict(entry) for entry in sorted(entries, key=lambda e: e.identity))
    return out.getvalue()


def read(text: str, accounts: Container[str] = ()) -> tuple[list[Entry], list[str]]:
    """The rows of a CSV, and what is wrong with it line by line. With any error nothing may be used.

    `accounts`: the names that a cut-off may be of.
    """
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    missing = {"kind", "exchange"} - set(reader.fieldnames or ())
    if missing:
        return [], [f"line 1: the columns {', '.join(sorted(missing))} are missing"]
    if unknown := [name for name in reader.fieldnames or () if name not in COLUMNS]:
        return [], [f"line 1: unknown columns {', '.join(map(str, unknown))[:80]}"]
    entries: dict[tuple[str, ...], Entry] = {}
    errors: list[str] = []
    try:
        for number, row in enumerate(reader, start=2):
            if number > MOST_ROWS:
                return [], [f"more than {MOST_ROWS} rows"]
            entry, wrong = checked(row)
            if entry is not None and entry.identity in entries:
                wrong = "the same row twice"
            elif entry is not None and entry.account and entry.account not in accounts:
                wrong = f"there is no account {entry.account[:60]}"
            if wrong or entry is None:
                errors.append(f"line {number}: {wrong}")
                continue
            entries[entry.identity] = entry
    except csv.Error as error:
        errors.append(f"line {reader.line_num}: {error}")
    return list(entries.values()), errors


def checked(row: Mapping[str | None, Any]) -> tuple[Entry | None, str]:
    """An entry in normal form, or what is wrong with it."""
    if None in row:
        return None, "too many columns"
    text = {name: str(row.get(name) or "").strip() for name in COLUMNS}
    text["kind"], text["exchange"] = text["kind"].upper(), text["exchange"].upper()
    if text["kind"] not in KINDS:
        return None, f"kind is one of {', '.join(KINDS)}"
    if text["exchange"] not in EXCHANGES:
        return None, f"exchange is one of {', '.join(EXCHANGES)}"
    try:
        return _normal(text), ""
    except ValueError as error:
        return None, str(error)[:120]


def _normal(text: Mapping[str, str]) -> Entry:
    kind, exchange = text["kind"], text["exchange"]
    if kind == "HOLIDAY":
        nature = text["holiday_kind"].upper() or "TRADING"
        if nature not in HOLIDAY_KINDS:
            raise ValueError(f"holiday_kind is one of {', '.join(HOLIDAY_KINDS)}")
        return Entry(kind, exchange, _day(text["date"]), _name(text["name"]), nature)
    if kind == "CUTOFF":
        return _cutoff(text)
    opens, closes = _time(text["opens"]), _time(text["closes"])
    if opens >= closes:
        raise ValueError("opens must be before closes")
    if kind == "SPECIAL":
        sure = "no" if text["confirmed"].lower() in ("no", "false", "0") else "yes"
        return Entry(kind, exchange, _day(text["date"]), _name(text["name"]), opens=opens, closes=closes, confirmed=sure)
    if text["weekday"] not in tuple("0123456"):
        raise ValueError("weekday is 0 (Monday) to 6")
    start, end = _range(text)
    return Entry(kind, exchange, weekday=text["weekday"], opens=opens, closes=closes, effective_from=start, effective_to=end)


def _cutoff(text: Mapping[str, str]) -> Entry:
    if text["broker"] and text["account"]:
        raise ValueError("a cut-off is of a broker or of an account, not of both")
    if len(text["broker"]) > 40:
        raise ValueError("a broker has at most 40 characters")
    start, end = _range(text)
    return Entry(
        "CUTOFF",
        text["exchange"],
        closes=_time(text["closes"]),
        effective_from=start,
        effective_to=end,
        broker=text["broker"].lower(),
        account=text["account"],
    )


def _range(text: Mapping[str, str]) -> tuple[str, str]:
    start, end = _day(text["effective_from"]), _day(text["effective_to"]) if text["effective_to"] else ""
    if end and end < start:
        raise ValueError("effective_to is before effective_from")
    return start, end


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{text or 'an empty text'} is no date YYYY-MM-DD") from None


def _time(text: str) -> str:
    try:
        return time.fromisoformat(text).replace(microsecond=0, tzinfo=None).isoformat()
    except ValueError:
        raise ValueError(f"{text or 'an empty text'} is no time HH:MM") from None


def _name(text: str) -> str:
    if not 1 <= len(text) <= 80:
        raise ValueError("a name has 1 to 80 characters")
    return text


def compare(ours: Iterable[Entry], theirs: Iterable[Entry]) -> list[Difference]:
    """What a complete file says differently."""
    held = {entry.identity: entry for entry in ours}
    offered = {entry.identity: entry for entry in theirs}
    found = [_difference(entry, held.get(key)) for key, entry in offered.items() if held.get(key) != entry]
    found += [Difference("ONLY_HERE", entry) for key, entry in held.items() if key not in offered]
    return _ordered(found)


def compare_with_server(ours: Iterable[Entry], theirs: Iterable[Entry], years: frozenset[str]) -> list[Difference]:
    """As `compare`, for a server's list of dates: its names are its own, and it knows no weekly hours."""
    ours = list(ours)
    held: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in ours:
        held.setdefault((entry.kind, entry.exchange, entry.date), []).append(entry)
    theirs = list(theirs)
    found = []
    for entry in theirs:
        same_day = held.get((entry.kind, entry.exchange, entry.date), [])
        if any(_agree(one, entry) for one in same_day):
            continue
        found.append(_difference(_named_as(entry, same_day), same_day[0] if same_day else None))
    offered = {(entry.kind, entry.exchange, entry.date) for entry in theirs}
    found += [
        Difference("ONLY_HERE", entry)
        for entry in ours
        if entry.date[:4] in years and (entry.kind, entry.exchange, entry.date) not in offered
    ]
    return _ordered(found)


def _agree(ours: Entry, theirs: Entry) -> bool:
    return (ours.holiday_kind, ours.opens, ours.closes) == (theirs.holiday_kind, theirs.opens, theirs.closes)


def _named_as(entry: Entry, same_day: list[Entry]) -> Entry:
    """A change of ours keeps our name, or it would become a second session of the same day."""
    if not same_day:
        return entry
    return Entry(**{**asdict(entry), "name": same_day[0].name})


def _difference(entry: Entry, before: Entry | None) -> Difference:
    return Difference("ADD" if before is None else "CHANGE", entry, before)


def _ordered(found: list[Difference]) -> list[Difference]:
    return sorted(found, key=lambda d: (d.act == "ONLY_HERE", d.entry.date or d.entry.effective_from, d.entry.identity))
