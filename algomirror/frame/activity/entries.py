"""Reading the journal by filters, newest first, a page at a time by id."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q, QuerySet

from accounts.models import Account
from algomirror.frame.readiness.board import JOURNAL
from algomirror.kernel import clock
from algomirror.ops import sight
from algomirror.ops.models import Check, Journal

PER_PAGE = 100
EXPORTED_AT_MOST = 50_000


class ActivityFilter(forms.Form):
    """An empty field filters nothing; one that is not understood is said and filters nothing."""

    q = forms.CharField(label="Text", required=False, max_length=80)
    actor = forms.CharField(label="Who", required=False, max_length=80)
    kind = forms.CharField(label="What", required=False, max_length=40)
    account = forms.ModelChoiceField(label="Account", required=False, queryset=Account.objects.none(), empty_label="all")
    run = forms.IntegerField(label="Run", required=False, min_value=1, max_value=2**62)
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account"].queryset = Account.objects.all()  # type: ignore[attr-defined]

    @property
    def wish(self) -> dict[str, Any]:
        """What is filtered by: fields that were filled in and understood."""
        if not hasattr(self, "cleaned_data"):
            self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class Entry:
    row: Journal
    account: str
    numbers: str


@dataclass(frozen=True, slots=True)
class Page:
    entries: list[Entry]
    older: str  # the query of the next page; empty at the end
    query: str  # the filters without the place
    check: Check | None


def found(wish: dict[str, Any]) -> QuerySet[Journal]:
    rows, mine = Journal.objects.order_by("-pk"), sight.seen()
    if mine is not None:
        rows = rows.filter(sight.of_account_or_run(mine))
    if account := wish.get("account"):
        rows = rows.filter(account_id=account.pk)
    if "run" in wish:
        rows = rows.filter(run_id=wish["run"])
    if kind := wish.get("kind"):
        rows = rows.filter(kind__startswith=kind)
    if actor := wish.get("actor"):
        rows = rows.filter(actor__icontains=actor)
    if q := wish.get("q"):
        rows = rows.filter(Q(subject__icontains=q) | Q(why__icontains=q))
    if since := wish.get("since"):
        rows = rows.filter(at__gte=clock.start_of(since))
    if until := wish.get("until"):
        rows = rows.filter(at__lt=clock.start_of(until + timedelta(days=1)))
    return rows


def page(form: ActivityFilter) -> Page:
    """Four queries at most, whatever the journal's length."""
    wish = form.wish
    rows = found(wish)
    if "before" in wish:
        rows = rows.filter(pk__lt=wish["before"])
    shown = list(rows[: PER_PAGE + 1])
    names = dict(Account.objects.values_list("pk", "name"))
    query = urlencode({name: getattr(value, "pk", value) for name, value in wish.items() if name != "before"})
    older = urlencode({"before": shown[PER_PAGE - 1].pk}) if len(shown) > PER_PAGE else ""
    return Page(
        [_entry(row, names) for row in shown[:PER_PAGE]],
        "&".join(filter(None, (query, older))) if older else "",
        query,
        Check.objects.filter(name=JOURNAL, account_id=0).first(),
    )


def _entry(row: Journal, names: dict[int, str]) -> Entry:
    account = "" if row.account_id is None else names.get(row.account_id, str(row.account_id))
    return Entry(row, account, ", ".join(f"{key} {_short(value)}" for key, value in row.numbers.items()))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}…"


_HEAD = (
    "id", "at_utc", "kind", "actor", "from_address", "subject", "account_id", "run_id", "book_id", "order_id",
    "before", "after", "why", "numbers",
)  # fmt: skip


def as_csv(form: ActivityFilter) -> Iterator[str]:
    """Lines of the filtered rows, at most fifty thousand, newest first."""
    return _lines(found(form.wish)[:EXPORTED_AT_MOST])  # asked here: the lines leave after the request has ended


def _lines(rows: QuerySet[Journal]) -> Iterator[str]:
    yield _line(_HEAD)
    for row in rows.iterator(chunk_size=1_000):
        yield _line(
            (
                row.pk,
                row.at.isoformat(),
                row.kind,
                row.actor,
                row.from_address or "",
                row.subject,
                row.account_id,
                row.run_id,
                row.book_id,
                row.order_id,
                row.moved_from,
                row.moved_to,
                row.why,
                json.dumps(row.numbers, ensure_ascii=False),
            )
        )


def _line(cells: tuple[object, ...]) -> str:
    """A spreadsheet must not take a text for a formula."""
    out = StringIO()
    csv.writer(out).writerow(
        [f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell for cell in cells]
    )
    return out.getvalue()
