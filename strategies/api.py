"""Strategies, their plans, and tickets. Whatever can trade is a plan first: previewed, hashed, sent exactly."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Account
from accounts.tokens.auth import allowed, person, require_accounts, seen
from algomirror.kernel.errors import Refused
from algomirror.ops import sight
from algomirror.ops.api.doors import Asked, Door, Nothing, actor, command, found
from algomirror.ops.api.schema import CURSOR, LIMIT
from strategies import api_definition as definition
from strategies import api_shapes as shapes
from strategies.models import Plan, Strategy, Version
from strategies.services import build, ticket
from strategies.services import preview as planning
from trading.api_shapes import page_of
from trading.models import Run


class ListAsked(Asked):
    archived = serializers.BooleanField(default=False)
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200)


def strategy_of(pk: int) -> Strategy:
    return found(Strategy.objects.all(), pk=pk)


def version_of(pk: int) -> Version:
    version = strategy_of(pk).current
    if version is None:
        raise Http404
    return version


def plan_of(request: Request, key: str) -> Plan:
    """A plan whose accounts the caller may all see."""
    plan = found(Plan.objects.all(), key=key)
    require_accounts(request, {line["account"] for line in plan.lines})
    return plan


class Strategies(Door):
    @extend_schema(parameters=[ListAsked, CURSOR], responses=page_of(definition.StrategyShape, "Strategy"))
    def get(self, request: Request) -> Response:
        """Strategies with their newest version."""
        asked = self.params(ListAsked)
        with sight.limited_to(allowed(request)):
            return self.page(Strategy.objects.filter(archived_at__isnull=not asked["archived"]), definition.StrategyShape)

    @extend_schema(request=definition.StrategyAsked, responses={201: definition.StrategyShape})
    @command
    def post(self, request: Request) -> Response:
        """A new strategy. Limits are rupees; what is null is off."""
        asked = self.body(definition.StrategyAsked)
        require_accounts(request, asked["accounts"])
        version = build.save_strategy(person(request), definition.draft_of(asked))
        return Response(definition.StrategyShape(version.strategy).data, status=201)


class StrategyOne(Door):
    @extend_schema(responses=definition.StrategyShape)
    def get(self, request: Request, pk: int) -> Response:
        with sight.limited_to(allowed(request)):
            return Response(definition.StrategyShape(strategy_of(pk)).data)

    @extend_schema(request=definition.StrategyEdit, responses=definition.StrategyShape)
    @command
    def put(self, request: Request, pk: int) -> Response:
        """The next version: `base` with what is named. 409 when a newer one was saved meanwhile. Open runs do not change."""
        asked, strategy = self.body(definition.StrategyEdit), strategy_of(pk)
        require_accounts(request, asked["accounts"])
        _require_its_accounts(request, strategy)
        base = found(strategy.versions.all(), number=asked["base"])
        draft = definition.draft_of(asked, build.draft_of(base))
        build.save_strategy(person(request), draft, strategy=strategy, base=base.number)
        return Response(definition.StrategyShape(strategy_of(pk)).data)


def _require_its_accounts(request: Request, strategy: Strategy) -> None:
    version = strategy.current
    if version is not None:
        require_accounts(request, version.accounts.values_list("pk", flat=True))


class Versions(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(definition.VersionShape, "Version"))
    def get(self, request: Request, pk: int) -> Response:
        with sight.limited_to(allowed(request)):
            return self.page(strategy_of(pk).versions.all(), definition.VersionShape)


class StrategyRuns(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(shapes.RunShape, "Run"))
    def get(self, request: Request, pk: int) -> Response:
        rows: QuerySet[Run] = Run.objects.filter(strategy_id=strategy_of(pk).pk)
        return self.page(seen(request, rows, "books__account"), shapes.RunShape)


class StrategyCopy(Door):
    @extend_schema(request=Nothing, responses={201: definition.StrategyShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """The newest version under a new name."""
        _require_its_accounts(request, strategy_of(pk))
        version = build.copy(strategy_of(pk), owner=person(request))
        return Response(definition.StrategyShape(version.strategy).data, status=201)


class StrategyArchive(Door):
    @extend_schema(request=Nothing, responses={202: definition.StrategyShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Out of the lists and of entries; runs and history stay."""
        _require_its_accounts(request, strategy_of(pk))
        build.archive(strategy_of(pk), by=actor(request))
        return Response(definition.StrategyShape(strategy_of(pk)).data, status=202)


class StrategyEntries(Door):
    @extend_schema(request=shapes.EnabledAsked, responses={202: definition.StrategyShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Entries on or off. Guards and exits of an open run do not look at this."""
        asked = self.body(shapes.EnabledAsked)
        _require_its_accounts(request, strategy_of(pk))
        build.set_entries(strategy_of(pk), enabled=asked["enabled"], by=actor(request))
        return Response(definition.StrategyShape(strategy_of(pk)).data, status=202)


class StrategyPreview(Door):
    is_heavy: ClassVar[bool] = True

    @extend_schema(request=shapes.PreviewAsked, responses=shapes.PlanShape)
    @command
    def post(self, request: Request, pk: int) -> Response:
        """A plan: every order that would be sent, who is skipped and why. Lives half a minute. Sends nothing."""
        asked, version = self.body(shapes.PreviewAsked), version_of(pk)
        wanted = set(asked.get("accounts") or version.accounts.values_list("pk", flat=True))
        require_accounts(request, wanted)
        accounts = list(Account.objects.filter(pk__in=wanted, archived_at=None))
        if "accounts" in asked and len(accounts) != len(wanted):
            raise Refused("The preview was not made.", fields={"accounts": "an account is unknown or archived"})
        return Response(shapes.PlanShape(planning.preview(version, accounts, user=person(request), attended=True)).data)


class PlanOne(Door):
    @extend_schema(responses=shapes.PlanShape)
    def get(self, request: Request, key: str) -> Response:
        return Response(shapes.PlanShape(plan_of(request, key)).data)


class TicketPreview(Door):
    is_heavy: ClassVar[bool] = True

    @extend_schema(request=shapes.TicketAsked, responses=shapes.PlanShape)
    @command
    def post(self, request: Request) -> Response:
        """A plan of exact contracts for exact accounts. Sends nothing."""
        asked = self.body(shapes.TicketAsked)
        require_accounts(request, asked["accounts"])
        return Response(shapes.PlanShape(ticket.preview_ticket(shapes.ticket_of(asked), user=person(request))).data)


class TicketSend(Door):
    @extend_schema(request=shapes.SendAsked, responses={202: shapes.Sent})
    @command
    def post(self, request: Request) -> Response:
        """Send exactly the previewed ticket. 410 when it is too old or not the one that was previewed."""
        asked = self.body(shapes.SendAsked)
        if allowed(request) is not None:
            plan_of(request, asked["plan_id"])
        sent = ticket.send_ticket(asked["plan_id"], digest=asked["plan_hash"], by=actor(request))
        return Response(_sent(sent), status=202)


def _sent(sent: ticket.Sent) -> dict[str, Any]:
    links = [f"/api/v1/orders/{pk}" for pk in sent.order_ids] or ["/api/v1/goals"]
    return {"orders": list(sent.order_ids), "goals": list(sent.goal_ids), "links": links}
