"""What waits for a person's decision, and having all books read: the reconcile page for programs."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import account_of
from accounts.models import Account
from accounts.tokens.auth import allowed, seen
from algomirror.ops import sight
from algomirror.ops.api.doors import LARGEST_ID, Asked, Door, command
from trading import api_shapes as shapes
from trading.models import BrokerOrder
from trading.pages import reconciliation as page
from trading.services import reading


class ItemsAsked(Asked):
    account = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)


class PlaceShape(shapes.Difference):
    account = serializers.IntegerField(source="tag.account_id")
    ours = serializers.IntegerField(source="compared.owned")
    broker = serializers.IntegerField(source="compared.broker_units", allow_null=True, help_text="null: no complete read")
    verdict = serializers.CharField(source="compared.verdict.value")
    as_of = serializers.DateTimeField(allow_null=True)
    left = serializers.CharField(help_text="who left it outside, while it is as they saw it")
    asks = serializers.BooleanField(help_text="it can be decided now: /reconciliation/resolve ADOPT, LEAVE, CLOSED_OUTSIDE")


class BrokerOrderShape(serializers.ModelSerializer[BrokerOrder]):
    class Meta:
        model = BrokerOrder
        fields = (
            "account", "broker_order_id", "trading_day", "exchange", "symbol", "product", "action", "units", "price_type",
            "price", "word", "first_seen_at", "last_seen_at",
        )  # fmt: skip
        ref_name = "BrokerOrder"


class DoubtShape(serializers.Serializer[Any]):
    order = shapes.OrderShape()
    candidates = BrokerOrderShape(many=True, help_text="orders of the broker that it could be: resolve IS_THIS")
    may_be_settled = serializers.BooleanField(help_text="resolve IS_THIS or NEVER_SENT")


class FrozenShape(serializers.Serializer[Any]):
    book = serializers.IntegerField(source="book.pk")
    account = serializers.IntegerField(source="tag.account_id")
    run = serializers.IntegerField(source="book.run_id", allow_null=True)
    kind = serializers.CharField(source="book.freeze_kind")
    why = serializers.CharField(source="book.frozen_why")
    thaws_by_itself = serializers.BooleanField(help_text="when two complete reads agree again; else resolve RELEASE")


class ItemsShape(serializers.Serializer[Any]):
    waiting = serializers.IntegerField(help_text="how many things wait for a person")
    places = PlaceShape(many=True, source="lines", help_text="what does not agree")
    orders = DoubtShape(many=True, source="doubts")
    books = FrozenShape(many=True, source="frozen")
    unowned = BrokerOrderShape(many=True, help_text="today's orders of the broker that nobody here sent")
    is_cut = serializers.BooleanField(help_text="there are more than are listed")


class Items(Door):
    @extend_schema(parameters=[ItemsAsked], responses=ItemsShape)
    def get(self, request: Request) -> Response:
        """What our books do not explain and a person may decide; /reconciliation/resolve takes the decision."""
        account_id = self.params(ItemsAsked).get("account")
        if account_id is not None:
            account_of(request, account_id)
        with sight.limited_to(allowed(request)):
            found = page.reconciliation_page(page.Wish(account=account_id, differences=True))
            return Response(ItemsShape(found).data)


class RunAsked(Asked):
    account = serializers.IntegerField(
        required=False, min_value=1, max_value=LARGEST_ID, help_text="left out: all that the caller may see"
    )


class Run(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=RunAsked, responses={202: shapes.Cancelled})
    @command
    def post(self, request: Request) -> Response:
        """Have books read now, and compared. `asked` counts the accounts of which no reading was asked for already."""
        asked = self.body(RunAsked)
        mine = seen(request, Account.objects.filter(archived_at=None), "pk")
        ids = [account_of(request, asked["account"]).pk] if "account" in asked else list(mine.values_list("pk", flat=True))
        return Response({"asked": reading.ask(ids), "links": ["/api/v1/reconciliation/items"]}, status=202)
