"""Forms of the calendar page. Each says which rows it means; the service compares and stores."""

from __future__ import annotations

from datetime import date, time
from typing import Any

from django import forms

from accounts.models import Account
from marketdata.domain.timetable import EXCHANGES, Entry
from marketdata.models import Holiday, MisCutoff, SpecialSession, TradingHours

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TIME = forms.TimeInput(attrs={"type": "time", "step": "60"}, format="%H:%M")


def _date(**more: Any) -> forms.DateField:
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **more)


def _exchanges() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        choices=[(name, name) for name in EXCHANGES], widget=forms.CheckboxSelectMultiple, initial=list(EXCHANGES)
    )


class EntryForm(forms.Form):
    """`fixed` names the fields that identify a row: while it is edited they stay as they are."""

    kind = ""
    fixed: tuple[str, ...] = ()

    def lock(self) -> None:
        for name in self.fixed:
            self.fields[name].widget.attrs["readonly"] = True

    def entries(self) -> list[Entry]:
        return [self.entry(exchange) for exchange in self.cleaned_data["exchanges"]]

    def entry(self, exchange: str) -> Entry:
        raise NotImplementedError


class HolidayForm(EntryForm):
    kind = "HOLIDAY"
    fixed = ("date",)

    exchanges = _exchanges()
    date = _date()
    name = forms.CharField(max_length=80)
    nature = forms.ChoiceField(choices=Holiday.Kind, label="Kind", help_text="a settlement holiday does not close the market")

    @staticmethod
    def of(row: Holiday) -> dict[str, Any]:
        return {"exchanges": [row.exchange], "date": row.date, "name": row.name, "nature": row.kind}

    def entry(self, exchange: str) -> Entry:
        said = self.cleaned_data
        return Entry("HOLIDAY", exchange, said["date"].isoformat(), said["name"], said["nature"])


class _Hours(EntryForm):
    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        opens, closes = said.get("opens"), said.get("closes")
        if opens and closes and opens >= closes:
            self.add_error("closes", "The close is after the open.")
        return said


class SpecialForm(_Hours):
    kind = "SPECIAL"
    fixed = ("date", "name")

    exchanges = _exchanges()
    date = _date()
    name = forms.CharField(max_length=80)
    opens = forms.TimeField(widget=_TIME, help_text="IST")
    closes = forms.TimeField(widget=_TIME)
    confirmed = forms.BooleanField(required=False, initial=True)

    @staticmethod
    def of(row: SpecialSession) -> dict[str, Any]:
        names = ("date", "name", "opens", "closes", "confirmed")
        return {"exchanges": [row.exchange], **{name: getattr(row, name) for name in names}}

    def entry(self, exchange: str) -> Entry:
        said = self.cleaned_data
        return Entry(
            "SPECIAL",
            exchange,
            said["date"].isoformat(),
            said["name"],
            opens=_text(said["opens"]),
            closes=_text(said["closes"]),
            confirmed="yes" if said["confirmed"] else "no",
        )


class HoursForm(_Hours):
    kind = "HOURS"
    fixed = ("effective_from",)

    exchanges = _exchanges()
    weekdays = forms.MultipleChoiceField(
        choices=[(str(n), name) for n, name in enumerate(WEEKDAYS)], widget=forms.CheckboxSelectMultiple, initial=list("01234")
    )
    opens = forms.TimeField(widget=_TIME, help_text="IST")
    closes = forms.TimeField(widget=_TIME)
    effective_from = _date(help_text="from this day on; earlier days keep their hours")
    effective_to = _date(required=False, help_text="last day; empty: until further notice")

    @staticmethod
    def of(row: TradingHours) -> dict[str, Any]:
        names = ("opens", "closes", "effective_from", "effective_to")
        return {"exchanges": [row.exchange], "weekdays": [str(row.weekday)], **{name: getattr(row, name) for name in names}}

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        start, end = said.get("effective_from"), said.get("effective_to")
        if start and end and end < start:
            self.add_error("effective_to", "The last day is not before the first.")
        return said

    def entries(self) -> list[Entry]:
        said = self.cleaned_data
        until: date | None = said["effective_to"]
        return [
            Entry(
                "HOURS",
                exchange,
                weekday=weekday,
                opens=_text(said["opens"]),
                closes=_text(said["closes"]),
                effective_from=said["effective_from"].isoformat(),
                effective_to=until.isoformat() if until else "",
            )
            for exchange in said["exchanges"]
            for weekday in said["weekdays"]
        ]


class CutoffForm(EntryForm):
    kind = "CUTOFF"
    fixed = ("broker", "effective_from")

    exchanges = _exchanges()
    broker = forms.CharField(required=False, max_length=40, help_text="as on its account's page; empty: every broker")
    account = forms.ModelChoiceField(
        queryset=Account.objects.none(), required=False, empty_label="all of that broker", to_field_name="name"
    )
    at = forms.TimeField(widget=_TIME, label="Cut-off", help_text="IST; the broker closes MIS itself then")
    effective_from = _date(help_text="from this day on; earlier days keep their cut-off")
    effective_to = _date(required=False, help_text="last day; empty: until further notice")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["account"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Account.objects.filter(archived_at=None)

    @staticmethod
    def of(row: MisCutoff) -> dict[str, Any]:
        names = ("broker", "at", "effective_from", "effective_to")
        account = None if row.account is None else row.account.name
        return {"exchanges": [row.exchange], "account": account, **{name: getattr(row, name) for name in names}}

    def clean_broker(self) -> str:
        broker: str = self.cleaned_data["broker"]
        return broker.strip().lower()

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("broker") and said.get("account"):
            self.add_error("broker", "A cut-off is of a broker or of one account, not of both.")
        start, end = said.get("effective_from"), said.get("effective_to")
        if start and end and end < start:
            self.add_error("effective_to", "The last day is not before the first.")
        return said

    def entry(self, exchange: str) -> Entry:
        said = self.cleaned_data
        account: Account | None = said["account"]
        until: date | None = said["effective_to"]
        return Entry(
            "CUTOFF",
            exchange,
            closes=_text(said["at"]),
            effective_from=said["effective_from"].isoformat(),
            effective_to=until.isoformat() if until else "",
            broker=said["broker"],
            account="" if account is None else account.name,
        )


def _text(at: time) -> str:
    return at.replace(microsecond=0).isoformat()


FORMS: dict[str, type[HolidayForm] | type[SpecialForm] | type[HoursForm] | type[CutoffForm]] = {
    form.kind: form for form in (HolidayForm, SpecialForm, HoursForm, CutoffForm)
}


class RetireForm(forms.Form):
    kind = forms.ChoiceField(choices=[(kind, kind) for kind in FORMS])
    row = forms.IntegerField(min_value=1)
    last_day = forms.DateField(required=False)


class FileForm(forms.Form):
    file = forms.FileField(label="CSV file")


class ServerForm(forms.Form):
    account = forms.ModelChoiceField(queryset=Account.objects.filter(archived_at=None), empty_label=None)


class ChosenForm(forms.Form):
    chosen = forms.TypedMultipleChoiceField(coerce=int, required=False)

    def __init__(self, sent: Any, count: int) -> None:
        super().__init__(sent)
        field = self.fields["chosen"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(str(at), str(at)) for at in range(count)]
