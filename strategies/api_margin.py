"""Funds, margin figures, grades, margin in use, and the calculator."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from accounts.tokens.auth import allowed, require_accounts, require_everything
from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import Asked, Door, Nothing, actor, command, found
from marketdata.models import Underlying
from risk.models import MarginRequirement, TradeGrade
from risk.services import margins
from strategies.api_shapes import ids
from strategies.pages import margin as page
from strategies.pages import tracker as tracks
from strategies.services import asking


def rupees(**more: Any) -> serializers.DecimalField:
    return serializers.DecimalField(max_digits=18, decimal_places=2, allow_null=True, **more)


class FundsShape(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account.pk")
    usable = rupees()
    cash = rupees()
    used = rupees()
    reserved = rupees()
    m2m = rupees()
    share_in_use = serializers.DecimalField(max_digits=6, decimal_places=1, allow_null=True, source="share")
    as_of = serializers.DateTimeField(allow_null=True, source="read_at")
    why = serializers.CharField(help_text="why a figure is not known")


class SampleShape(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account_id")
    at = serializers.DateTimeField()
    usable = rupees()
    used = rupees()
    reserved = rupees()
    share_in_use = serializers.DecimalField(max_digits=6, decimal_places=1, source="share")


class DaysAsked(Asked):
    days = serializers.ChoiceField(choices=list(tracks.DAYS), default=tracks.DAYS[0])


class BrokerFigureShape(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account_id")
    rupees = serializers.DecimalField(max_digits=14, decimal_places=2)
    symbols = serializers.CharField(help_text="the contracts that were asked for")
    as_of = serializers.DateTimeField(source="asked_at")


class FigureShape(serializers.Serializer[Any]):
    underlying = serializers.CharField()
    kind = serializers.ChoiceField(choices=MarginRequirement.Kind.values)
    is_expiry = serializers.BooleanField()
    broker = BrokerFigureShape(allow_null=True, help_text="what a broker last said; null: none was asked for just this")
    difference = rupees(help_text="what the broker wants beyond our table")
    rupees = rupees(help_text="by our own table; null: none")

    class Meta:
        ref_name = "MarginFigure"


class FigureAsked(Asked):
    underlying = serializers.CharField(max_length=20)
    kind = serializers.ChoiceField(choices=MarginRequirement.Kind.values)
    is_expiry = serializers.BooleanField()
    rupees = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=Decimal(1), max_value=Decimal(99_999_999))


class GradeShape(serializers.ModelSerializer[TradeGrade]):
    class Meta:
        model = TradeGrade
        fields = ("id", "name", "share", "basis", "label", "description", "is_standard")
        ref_name = "Grade"


class GradeAsked(Asked):
    name = serializers.CharField(max_length=10)
    share = serializers.DecimalField(max_digits=5, decimal_places=2, min_value=Decimal("0.01"), max_value=Decimal(100))
    basis = serializers.ChoiceField(choices=TradeGrade.Basis.values, default=TradeGrade.Basis.USABLE)
    description = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")


class GradeEdit(Asked):
    """What is not named stays."""

    name = serializers.CharField(max_length=10, required=False)
    share = serializers.DecimalField(
        max_digits=5, decimal_places=2, min_value=Decimal("0.01"), max_value=Decimal(100), required=False
    )
    basis = serializers.ChoiceField(choices=TradeGrade.Basis.values, required=False)
    description = serializers.CharField(max_length=120, required=False, allow_blank=True)


class CalculateAsked(Asked):
    amount = serializers.DecimalField(max_digits=16, decimal_places=2, min_value=Decimal("0.01"))
    underlying = serializers.CharField(max_length=20)
    structure = serializers.ChoiceField(choices=[name for name, _ in page.STRUCTURES])
    grade = serializers.CharField(max_length=10)
    is_expiry = serializers.BooleanField(default=False)
    accounts = ids(required=False, help_text="ask these accounts' brokers what one such structure blocks")


class BasketShape(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account.pk")
    broker = rupees()
    table = rupees()
    difference = rupees()
    usable = rupees()
    why = serializers.CharField(help_text="why the broker's figure is not known")


class Calculated(serializers.Serializer[Any]):
    structures = serializers.IntegerField()
    lots = serializers.IntegerField()
    units = serializers.IntegerField()
    limit = rupees()
    needed = rupees(source="required")
    remaining = rupees()
    formula = serializers.CharField(source="need.formula")


class CalculateShape(serializers.Serializer[Any]):
    table = Calculated()
    brokers = BasketShape(many=True)


class MarginAccounts(Door):
    @extend_schema(responses=FundsShape(many=True))
    def get(self, request: Request) -> Response:
        """What each account may spend, as its profile reads its newest funds; unknown is null, not 0."""
        mine = allowed(request)
        rows = [row for row in page.funds_rows() if mine is None or row.account.pk in mine]
        return Response(FundsShape(rows, many=True).data)


class MarginTracker(Door):
    @extend_schema(parameters=[DaysAsked], responses=SampleShape(many=True))
    def get(self, request: Request) -> Response:
        """Margin in use, every five minutes while a market was open, oldest first."""
        mine, days = allowed(request), self.params(DaysAsked)["days"]
        rows = [row for row in tracks.as_rows(days) if mine is None or row["account_id"] in mine]
        return Response(SampleShape(rows, many=True).data)


class MarginFigures(Door):
    @extend_schema(responses=FigureShape(many=True))
    def get(self, request: Request) -> Response:
        """Rupees one lot blocks by our own table, beside what a broker last said; what neither knows is not listed."""
        return Response(FigureShape(_cells(), many=True).data)

    @extend_schema(request=FigureAsked, responses=FigureShape)
    @command
    def put(self, request: Request) -> Response:
        """One figure of the table, new or changed."""
        require_everything(request)
        asked = self.body(FigureAsked)
        if not Underlying.objects.filter(symbol=asked["underlying"]).exists():
            raise Refused("The margin figure was not saved.", fields={"underlying": "unknown"})
        key = (asked["underlying"], asked["kind"], asked["is_expiry"])
        margins.set_figure(*key, asked["rupees"], by=actor(request))
        saved = next(cell for cell in _cells() if (cell.underlying, cell.kind, cell.is_expiry) == key)
        return Response(FigureShape(saved).data)


def _cells() -> list[page.FigureCell]:
    cells = [cell for row in page.requirement_rows() for cell in row.cells]
    return [cell for cell in cells if cell.rupees is not None or cell.broker is not None]


class Grades(Door):
    @extend_schema(responses=GradeShape(many=True))
    def get(self, request: Request) -> Response:
        return Response(GradeShape(margins.grades(), many=True).data)

    @extend_schema(request=GradeAsked, responses={201: GradeShape})
    @command
    def post(self, request: Request) -> Response:
        """A grade of one's own."""
        require_everything(request)
        return Response(GradeShape(margins.save_grade(**self.body(GradeAsked), by=actor(request))).data, status=201)


class GradeOne(Door):
    @extend_schema(request=GradeAsked, responses=GradeShape)
    @command
    def put(self, request: Request, pk: int) -> Response:
        """Other terms of a grade; A, B and C keep their names."""
        require_everything(request)
        grade = found(TradeGrade.objects.filter(archived_at=None), pk=pk)
        return Response(GradeShape(margins.save_grade(**self.body(GradeAsked), by=actor(request), grade=grade)).data)

    @extend_schema(request=GradeEdit, responses=GradeShape)
    @command
    def patch(self, request: Request, pk: int) -> Response:
        """Change what is named; A, B and C keep their names."""
        require_everything(request)
        grade = found(TradeGrade.objects.filter(archived_at=None), pk=pk)
        as_it_is = {name: getattr(grade, name) for name in ("name", "share", "basis", "description")}
        wanted = as_it_is | self.body(GradeEdit)
        return Response(GradeShape(margins.save_grade(**wanted, by=actor(request), grade=grade)).data)

    @extend_schema(request=Nothing, responses=GradeShape)
    @command
    def delete(self, request: Request, pk: int) -> Response:
        """Out of the choices; versions that use it keep it. A, B and C stay."""
        require_everything(request)
        grade = found(TradeGrade.objects.filter(archived_at=None), pk=pk)
        margins.archive_grade(grade, by=actor(request))
        return Response(GradeShape(grade).data)


class Calculate(Door):
    is_heavy: ClassVar[bool] = True

    @extend_schema(request=CalculateAsked, responses=CalculateShape)
    @command
    def post(self, request: Request) -> Response:
        """How many structures an amount carries by our table, and what brokers say one of them blocks."""
        asked = self.body(CalculateAsked)
        grade = TradeGrade.objects.filter(name=asked["grade"], archived_at=None).first()
        if grade is None:
            raise Refused("Not calculated.", fields={"grade": "there is no such grade"})
        wanted = set(asked.get("accounts", ()))
        require_accounts(request, wanted)
        accounts = list(Account.objects.filter(pk__in=wanted, archived_at=None))
        if len(accounts) != len(wanted):
            raise Refused("Not calculated.", fields={"accounts": "an account is unknown or archived"})
        underlying, what = asked["underlying"], asked["structure"]
        table = page.calculate(
            amount=asked["amount"], underlying=underlying, what=what, grade=grade, is_expiry=asked["is_expiry"]
        )
        brokers = asking.ask_baskets(page.legs_of(underlying, what), accounts).answers if accounts else ()
        return Response(CalculateShape({"table": table, "brokers": brokers}).data)
