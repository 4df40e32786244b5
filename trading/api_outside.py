"""Deciding by API what the books do not explain: the same five decisions as on the reconcile page."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import account_of
from accounts.tokens.auth import seen
from algomirror.ops.api.doors import LARGEST_ID, Asked, Door, actor, command, found
from trading.forms_outside import REASON_AT_LEAST
from trading.models import Book, Order
from trading.services import outside
from trading.services.outside import Place, Seen

OF_A_PLACE = ("account", "exchange", "symbol", "product", "ours", "broker")
WANTED: dict[str, tuple[str, ...]] = {
    "ADOPT": OF_A_PLACE,
    "LEAVE": OF_A_PLACE,
    "CLOSED_OUTSIDE": (*OF_A_PLACE, "book", "price"),
    "RELEASE": ("book", "why"),
    "NEVER_SENT": ("order", "why"),
    "IS_THIS": ("order", "broker_order_id", "why"),
}


class ResolveAsked(Asked):
    action = serializers.ChoiceField(choices=list(WANTED))
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    exchange = serializers.CharField(required=False, max_length=12)
    symbol = serializers.CharField(required=False, max_length=50)
    product = serializers.CharField(required=False, max_length=4)
    ours = serializers.IntegerField(required=False, help_text="what our books owned when it was looked at, signed units")
    broker = serializers.IntegerField(required=False, help_text="what the broker showed then, signed units")
    book = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    price = serializers.DecimalField(required=False, min_value=Decimal(0), max_digits=12, decimal_places=2)
    order = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    broker_order_id = serializers.CharField(required=False, max_length=64)
    why = serializers.CharField(required=False, min_length=REASON_AT_LEAST, max_length=200)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in WANTED[given["action"]] if name not in given]
        if missing:
            raise serializers.ValidationError({name: [f"{given['action']} wants it."] for name in missing})
        return given


class Resolved(serializers.Serializer[Any]):
    action = serializers.CharField()
    book = serializers.IntegerField(allow_null=True)
    order = serializers.IntegerField(allow_null=True)


class Resolve(Door):
    writes: ClassVar[str] = "trade"

    @extend_schema(request=ResolveAsked, responses={202: Resolved})
    @command
    def post(self, request: Request) -> Response:
        """Adopt, leave or close outside what GET /reconciliation shows; release a frozen book; settle an order in doubt."""
        asked = self.body(ResolveAsked)
        done: Book | Order | None
        if asked["action"] == "RELEASE":
            done = self._release(request, asked)
        elif "order" in WANTED[asked["action"]]:
            done = self._order(request, asked)
        else:
            done = self._place(request, asked)
        body = {
            "action": asked["action"],
            "book": done.pk if isinstance(done, Book) else None,
            "order": done.pk if isinstance(done, Order) else None,
        }
        return Response(Resolved(body).data, status=202)

    def _place(self, request: Request, asked: dict[str, Any]) -> Book | None:
        account = account_of(request, asked["account"])
        place = Place(account.pk, asked["exchange"], asked["symbol"], asked["product"])
        looked, by, key = Seen(asked["ours"], asked["broker"]), actor(request), request.headers["Idempotency-Key"]
        if asked["action"] == "ADOPT":
            return outside.adopt(place, looked, book_id=asked.get("book"), price=asked.get("price"), by=by, key=key)
        if asked["action"] == "CLOSED_OUTSIDE":
            return outside.close_outside(place, looked, book_id=asked["book"], price=asked["price"], by=by, key=key)
        outside.leave(place, looked, by=by, key=key, why=asked.get("why", ""))
        return None

    def _release(self, request: Request, asked: dict[str, Any]) -> Book:
        found(seen(request, Book.objects.all()), pk=asked["book"])
        return outside.thaw(asked["book"], by=actor(request), why=asked["why"])

    def _order(self, request: Request, asked: dict[str, Any]) -> Order:
        found(seen(request, Order.objects.all()), pk=asked["order"])
        if asked["action"] == "IS_THIS":
            return outside.is_this(asked["order"], asked["broker_order_id"], by=actor(request), why=asked["why"])
        return outside.never_sent(asked["order"], by=actor(request), why=asked["why"])
