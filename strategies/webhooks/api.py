"""Webhooks over the API: made, changed, their secret renewed, their log read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.auth import allowed, person, require_accounts
from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import LARGEST_ID, Asked, Door, Nothing, command, found
from algomirror.ops.api.schema import CURSOR, LIMIT
from strategies.domain.signals import Act, networks
from strategies.webhooks import services
from strategies.webhooks.models import Signal, Webhook
from trading.api_shapes import page_of


class WebhookShape(serializers.ModelSerializer[Webhook]):
    url = serializers.SerializerMethodField()
    owner = serializers.CharField(source="owner.username")

    class Meta:
        model = Webhook
        fields: tuple[str, ...] = (
            "id", "name", "url", "owner", "strategy", "acts", "accounts", "sources", "weekdays", "opens", "closes",
            "max_starts_a_day", "cool_off_s", "paper_only", "enabled", "version", "former_until", "created_at",
        )  # fmt: skip
        ref_name = "Webhook"

    def get_url(self, hook: Webhook) -> str:
        return f"/hooks/{hook.public_id}"


class WebhookMade(WebhookShape):
    secret = serializers.CharField(required=False, help_text="said this once, not in a replay")

    class Meta(WebhookShape.Meta):
        fields = (*WebhookShape.Meta.fields, "secret")
        ref_name = "WebhookMade"


class SignalShape(serializers.ModelSerializer[Signal]):
    class Meta:
        model = Signal
        fields = (
            "id", "public_id", "received_at", "source", "act", "account_id", "body", "verdict", "why", "run_id", "goal_ids",
            "acted_at",
        )  # fmt: skip
        ref_name = "Signal"


def _several(child: serializers.Field[Any, Any, Any, Any], most: int, **more: Any) -> serializers.ListField:
    return serializers.ListField(child=child, max_length=most, **more)


class Rules(Asked):
    acts = _several(serializers.ChoiceField(choices=[a.value for a in Act]), len(Act), min_length=1, required=False)
    accounts = _several(
        serializers.IntegerField(min_value=1, max_value=LARGEST_ID), 200, required=False, help_text="empty: the strategy's"
    )
    sources = _several(serializers.CharField(max_length=50), 100, required=False, help_text="addresses or networks; empty: any")
    weekdays = _several(
        serializers.IntegerField(min_value=0, max_value=6), 7, required=False, help_text="0 is Monday; empty: all"
    )
    opens = serializers.TimeField(required=False, allow_null=True, help_text="India; starts only")
    closes = serializers.TimeField(required=False, allow_null=True, help_text="India; starts only")
    max_starts_a_day = serializers.IntegerField(min_value=1, max_value=200, required=False)
    cool_off_s = serializers.IntegerField(min_value=0, max_value=86_400, required=False)
    paper_only = serializers.BooleanField(required=False)
    enabled = serializers.BooleanField(required=False)


class WebhookAsked(Rules):
    name = serializers.CharField(max_length=60)
    strategy = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    acts = _several(serializers.ChoiceField(choices=[a.value for a in Act]), len(Act), min_length=1)


class WebhookEdit(Rules):
    version = serializers.IntegerField(
        min_value=1, max_value=LARGEST_ID, help_text="the version that is changed; a newer one is 409"
    )
    name = serializers.CharField(max_length=60, required=False)
    strategy = serializers.IntegerField(min_value=1, max_value=LARGEST_ID, required=False)


def hook_of(request: Request, pk: int) -> Webhook:
    """A webhook all of whose accounts the caller may see."""
    hook = found(Webhook.objects.select_related("strategy", "owner"), pk=pk)
    if allowed(request) is not None:
        require_accounts(request, services.reach(hook))
    return hook


def _wanted(base: services.Wanted, asked: dict[str, Any]) -> services.Wanted:
    names = {"strategy": "strategy_id", "accounts": "account_ids"}
    told: dict[str, Any] = {names.get(k, k): tuple(v) if isinstance(v, list) else v for k, v in asked.items() if k != "version"}
    if "sources" in told:
        try:
            told["sources"] = tuple(networks("\n".join(told["sources"])))
        except ValueError as wrong:
            raise Refused("The webhook was not saved.", fields={"sources": str(wrong)}) from wrong
    return replace(base, **told)


class Webhooks(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(WebhookShape, "Webhook"))
    def get(self, request: Request) -> Response:
        rows, mine = Webhook.objects.select_related("owner").prefetch_related("accounts"), allowed(request)
        if mine is not None:
            rows = rows.filter(pk__in=[hook.pk for hook in rows if services.reach(hook) <= mine])
        return self.page(rows.order_by("-id"), WebhookShape)

    @extend_schema(request=WebhookAsked, responses={201: WebhookMade})
    @command
    def post(self, request: Request) -> Response:
        """A new webhook, on paper only unless said otherwise. Its secret is in this answer and nowhere else."""
        asked = self.body(WebhookAsked)
        wanted = _wanted(services.Wanted(name=asked["name"], strategy_id=asked["strategy"], acts=()), asked)
        if allowed(request) is not None:
            require_accounts(request, wanted.account_ids or services.reach_of_strategy(wanted.strategy_id))
        made = services.make(person(request), wanted)
        return _told_once(made, 201)


def _told_once(made: services.Made, status: int) -> Response:
    response = Response(WebhookShape(made.hook).data, status=status)
    response.once = {"secret": made.secret}  # type: ignore[attr-defined]
    return response


class WebhookOne(Door):
    @extend_schema(responses=WebhookShape)
    def get(self, request: Request, pk: int) -> Response:
        return Response(WebhookShape(hook_of(request, pk)).data)

    @extend_schema(request=WebhookEdit, responses=WebhookShape)
    @command
    def patch(self, request: Request, pk: int) -> Response:
        """Change what is named. 409 when it was changed since `version`."""
        asked, hook = self.body(WebhookEdit), hook_of(request, pk)
        wanted = _wanted(services.as_it_is(hook), asked)
        if allowed(request) is not None:
            require_accounts(request, wanted.account_ids or services.reach_of_strategy(wanted.strategy_id))
        services.change(person(request), hook, wanted, version=asked["version"])
        return Response(WebhookShape(hook_of(request, pk)).data)


class WebhookRotate(Door):
    @extend_schema(request=Nothing, responses={202: WebhookMade})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """A new secret, in this answer and nowhere else; the former one is good for another day."""
        return _told_once(services.rotate(person(request), hook_of(request, pk)), 202)


class Signals(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(SignalShape, "Signal"))
    def get(self, request: Request, pk: int) -> Response:
        """Every request to this webhook and what became of it, newest first. Bodies without their secret."""
        return self.page(Signal.objects.filter(hook=hook_of(request, pk)), SignalShape)
