"""Endpoints over the whole product: dashboard, alerts, journal, what became of a command, constants."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.auth import allowed, require_everything
from algomirror.frame import api_shapes as shapes
from algomirror.frame.dashboard import dashboard
from algomirror.kernel import clock
from algomirror.ops import alarms, sight
from algomirror.ops.api.doors import Door, Nothing, actor, command, found, username
from algomirror.ops.api.models import Command
from algomirror.ops.api.schema import CURSOR
from algomirror.ops.models import Alarm, Journal
from marketdata.status import feed_status
from trading.api_shapes import page_of

CONSTANTS = (
    "QUOTE_FRESH_STREAM_S", "QUOTE_FRESH_REST_S", "BLIND_ALARM_S", "BLIND_ACTION_S", "ORDER_TIMEOUT_S", "READ_TIMEOUT_S",
    "CONNECT_TIMEOUT_S", "ORDERS_PER_SECOND", "READS_PER_SECOND", "POLL_WORKING_S", "POLL_OPEN_S", "POLL_IDLE_S", "LAPSE_READS",
    "LAPSE_AFTER_S", "HEDGE_WAIT_S", "REPEG_S", "EXIT_SLOW_S", "EXIT_STUCK_S", "PLAN_LIFE_S",
)  # fmt: skip


class Dashboard(Door):
    @extend_schema(responses=shapes.Dashboard)
    def get(self, request: Request) -> Response:
        """Am I safe, and what is it worth: the figures of the dashboard. P&L is before charges."""
        require_everything(request)
        page = dashboard()
        body = {
            "platform": page.platform,
            "pnl_today": page.today.total,
            "pnl_by_mode": {mode: None if made.total is None else f"{made.total:.2f}" for mode, made in page.days.items()},
            "cash": page.cash,
            "safety": page.safety,
            "accounts": [
                {
                    "account": card.tag.account_id,
                    "trading": card.trading,
                    "pnl_today": card.pnl_today.total,
                    "open_runs": card.open_runs,
                    "open_legs": card.open_legs,
                }
                for card in page.accounts
            ],
        }
        return Response(shapes.Dashboard(body).data)


class Alerts(Door):
    @extend_schema(parameters=[shapes.AlertsAsked, CURSOR], responses=page_of(shapes.AlarmShape, "Alarm"))
    def get(self, request: Request) -> Response:
        """Alarms, newest first; NEW ones ring."""
        asked, mine = self.params(shapes.AlertsAsked), allowed(request)
        rows = Alarm.objects.all() if mine is None else Alarm.objects.filter(account_id__in=mine)
        return self.page(rows.filter(state=asked["state"]) if "state" in asked else rows, shapes.AlarmShape)


class AlertAck(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=Nothing, responses={202: shapes.Acknowledged})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Silence one alarm."""
        alarm, mine = found(Alarm.objects.all(), pk=pk), allowed(request)
        if mine is not None and alarm.account_id not in mine:
            raise Http404
        return Response({"acknowledged": alarms.acknowledge(alarm.pk, who=actor(request))}, status=202)


class AlertSnooze(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.SnoozeAsked, responses={202: shapes.Snoozed})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Silence one alarm for some minutes: 15 at most where money is at risk, a day otherwise."""
        asked, alarm, mine = self.body(shapes.SnoozeAsked), found(Alarm.objects.all(), pk=pk), allowed(request)
        if mine is not None and alarm.account_id not in mine:
            raise Http404
        return Response({"snoozed": alarms.snooze(alarm.pk, asked["minutes"], who=actor(request))}, status=202)


class JournalRows(Door):
    @extend_schema(parameters=[shapes.JournalAsked, CURSOR], responses=page_of(shapes.JournalShape, "Journal"))
    def get(self, request: Request) -> Response:
        """Every decision and move with the numbers it used, newest first."""
        asked, mine = self.params(shapes.JournalAsked), allowed(request)
        rows = Journal.objects.all() if mine is None else Journal.objects.filter(account_id__in=mine)
        columns = {"kind": "kind", "actor": "actor", "run": "run_id", "account": "account_id"}
        return self.page(rows.filter(**{columns[k]: v for k, v in asked.items() if k in columns}), shapes.JournalShape)


class CommandOne(Door):
    @extend_schema(responses=shapes.CommandShape)
    def get(self, request: Request, public_id: str) -> Response:
        """What became of a command of yours."""
        rows = Command.objects.filter(actor=f"user:{username(request)}")
        return Response(shapes.CommandShape(found(rows, public_id=public_id)).data)


class Settings(Door):
    @extend_schema(responses=serializers.DictField())
    def get(self, request: Request) -> Response:
        """The constants that decide: ages, waits and rates."""
        return Response({name.lower(): getattr(settings, name) for name in CONSTANTS})


class Feed(Door):
    @extend_schema(responses=shapes.Feed)
    def get(self, request: Request) -> Response:
        """Where prices come from, and how old the newest index tick is."""
        with sight.limited_to(allowed(request)):
            return Response(shapes.Feed(feed_status(clock.now())).data)
