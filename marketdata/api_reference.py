"""Editing of calendar and contract terms by the owner's programs, by the very forms of the pages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import Asked, Door, Nothing, actor, command, found
from marketdata import terms, terms_file, timetable
from marketdata.calendar import EXCHANGES
from marketdata.forms_calendar import FORMS
from marketdata.models import Holiday, TermsDispute


class _OnExchanges(Asked):
    exchanges = serializers.ListField(child=serializers.ChoiceField(EXCHANGES), allow_empty=False, max_length=len(EXCHANGES))


class HolidayAsked(_OnExchanges):
    date = serializers.DateField()
    name = serializers.CharField(max_length=80)
    kind = serializers.ChoiceField(Holiday.Kind.choices, default=Holiday.Kind.TRADING)


class SpecialAsked(_OnExchanges):
    date = serializers.DateField()
    name = serializers.CharField(max_length=80)
    opens = serializers.TimeField(help_text="IST")
    closes = serializers.TimeField()
    confirmed = serializers.BooleanField(default=True)


class HoursAsked(_OnExchanges):
    weekdays = serializers.ListField(child=serializers.IntegerField(min_value=0, max_value=6), allow_empty=False, max_length=7)
    opens = serializers.TimeField(help_text="IST")
    closes = serializers.TimeField()
    effective_from = serializers.DateField()
    effective_to = serializers.DateField(allow_null=True, default=None)


class CutoffAsked(_OnExchanges):
    broker = serializers.CharField(max_length=40, default="", allow_blank=True, help_text="empty: every broker")
    account = serializers.CharField(max_length=100, default="", allow_blank=True, help_text="a name, instead of a broker")
    at = serializers.TimeField(help_text="IST")
    effective_from = serializers.DateField()
    effective_to = serializers.DateField(allow_null=True, default=None)


class Saved(serializers.Serializer[Any]):
    saved = serializers.ListField(child=serializers.DictField(child=serializers.CharField(allow_blank=True)))


class RetireAsked(Asked):
    kind = serializers.ChoiceField(list(FORMS))
    row = serializers.IntegerField(min_value=1)
    last_day = serializers.DateField(allow_null=True, default=None, help_text="of hours; today when it is left out")


class _Entries(Door):
    writes: ClassVar[str] = "admin"
    kind: ClassVar[str]

    def save(self, request: Request, shape: type[Asked]) -> Response:
        """Judged by the form of the page; all rows or none."""
        asked = self.body(shape)
        form = FORMS[self.kind]({**asked, "nature": asked.get("kind")})
        if not form.is_valid():
            raise Refused("Not saved.", fields={name: str(errors[0]) for name, errors in form.errors.items()})
        rows = form.entries()
        timetable.put_all(rows, actor=actor(request))
        return Response(Saved({"saved": [asdict(row) for row in rows]}).data)


class Holidays(_Entries):
    kind = "HOLIDAY"

    @extend_schema(request=HolidayAsked, responses=Saved)
    @command
    def put(self, request: Request) -> Response:
        """A holiday on these exchanges; exchange and date name the row. Counts everywhere within a second."""
        return self.save(request, HolidayAsked)


class SpecialSessions(_Entries):
    kind = "SPECIAL"

    @extend_schema(request=SpecialAsked, responses=Saved)
    @command
    def put(self, request: Request) -> Response:
        """A special session; it alone decides its date. Exchange, date and name name the row."""
        return self.save(request, SpecialAsked)


class Hours(_Entries):
    kind = "HOURS"

    @extend_schema(request=HoursAsked, responses=Saved)
    @command
    def put(self, request: Request) -> Response:
        """Weekly hours from a day on; exchange, weekday (0 is Monday) and first day name the row."""
        return self.save(request, HoursAsked)


class Cutoffs(_Entries):
    kind = "CUTOFF"

    @extend_schema(request=CutoffAsked, responses=Saved)
    @command
    def put(self, request: Request) -> Response:
        """When a broker closes MIS itself, from a day on; exchange, broker or account, and first day name the row."""
        return self.save(request, CutoffAsked)


class Retire(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(request=RetireAsked, responses=RetireAsked)
    @command
    def post(self, request: Request) -> Response:
        """Hours and cut-offs end with their last day; a holiday or special session counts no more. It stays on record."""
        asked = self.body(RetireAsked)
        timetable.retire(asked["kind"], asked["row"], actor=actor(request), last_day=asked["last_day"])
        return Response(RetireAsked(asked).data)


class TermsAsked(Asked):
    underlying = serializers.CharField(max_length=20)
    expiring_from = serializers.DateField()
    expiring_to = serializers.DateField(allow_null=True, default=None)
    lot_units = serializers.IntegerField(min_value=1)
    freeze_units = serializers.IntegerField(min_value=2)
    tick = serializers.DecimalField(max_digits=8, decimal_places=2)
    source = serializers.CharField(max_length=200)  # type: ignore[assignment]
    confirmed = serializers.BooleanField(default=False)


class TermsSaved(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="0: they were so already")


class Terms(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(request=TermsAsked, responses=TermsSaved)
    @command
    def put(self, request: Request) -> Response:
        """Terms of contracts that expire from a day on; underlying and that day name the row."""
        asked = self.body(TermsAsked)
        line = {name: "" if asked[name] is None else str(asked[name]) for name in terms_file.COLUMNS}
        line["confirmed"] = "yes" if asked["confirmed"] else "no"
        return Response(TermsSaved({"changed": terms_file.save([line], actor(request))}).data)


class DisputeShape(serializers.ModelSerializer[TermsDispute]):
    class Meta:
        model = TermsDispute
        fields = ("id", "underlying", "expiry", "field", "listed", "held", "state", "decided_by", "reason", "until")


class Disputes(Door):
    @extend_schema(responses=DisputeShape(many=True))
    def get(self, request: Request) -> Response:
        """Where the broker's list and our terms differ: open ones deny entries, overridden ones were decided."""
        rows = TermsDispute.objects.filter(state__in=[TermsDispute.State.OPEN, TermsDispute.State.OVERRIDDEN])
        return Response(DisputeShape(rows, many=True).data)


class AcceptAsked(Asked):
    onwards = serializers.BooleanField(default=False, help_text="this and later expiries")


class OverrideAsked(Asked):
    reason = serializers.CharField(max_length=200)
    until = serializers.DateField(allow_null=True, default=None)


class _Decision(Door):
    writes: ClassVar[str] = "admin"

    def decided(self, pk: int) -> Response:
        return Response(DisputeShape(TermsDispute.objects.get(pk=pk)).data)


class Accept(_Decision):
    @extend_schema(request=AcceptAsked, responses=DisputeShape)
    @command
    def post(self, request: Request, pk: int) -> Response:
        """The broker is right: our terms follow."""
        asked = self.body(AcceptAsked)
        terms.accept(found(TermsDispute.objects.all(), pk=pk).pk, actor=actor(request), onwards=asked["onwards"])
        return self.decided(pk)


class Override(_Decision):
    @extend_schema(request=OverrideAsked, responses=DisputeShape)
    @command
    def post(self, request: Request, pk: int) -> Response:
        """We are right: the listed contracts hold our figure until that day."""
        asked = self.body(OverrideAsked)
        terms.override(found(TermsDispute.objects.all(), pk=pk).pk, actor=actor(request), **asked)
        return self.decided(pk)


class Restore(_Decision):
    @extend_schema(request=Nothing, responses=DisputeShape)
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Take an override back: the question is open again."""
        self.body(Nothing)
        terms.restore(found(TermsDispute.objects.all(), pk=pk).pk, actor=actor(request))
        return self.decided(pk)
