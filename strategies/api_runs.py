"""Runs: starting, looking, leaving, other limits."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.auth import allowed, require_accounts, seen
from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import Asked, Door, Nothing, actor, command
from algomirror.ops.api.schema import CURSOR, LIMIT
from risk import pages as risk_pages
from risk.api import require_whole_run, run_of
from risk.api_shapes import Event, Guard, Limits
from risk.models import RiskEvent, RunLimits
from risk.services import arming
from strategies import api_shapes as shapes
from strategies.api import plan_of
from strategies.api_definition import RunLimitsAsked, limits_of
from strategies.pages.runs import run_page
from strategies.services import start as starting
from strategies.services import stop
from trading.api import orders_of, positions_of
from trading.api_shapes import FillShape, OrderShape, PositionShape, page_of
from trading.domain.pnl import run_pnl
from trading.models import Fill, Run
from trading.services import byhand


class RunsAsked(Asked):
    state = serializers.ChoiceField(choices=Run.State.values, required=False)
    open = serializers.BooleanField(default=False, help_text="only those that are not closed")
    cursor = serializers.CharField(required=False)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200)


class Runs(Door):
    @extend_schema(parameters=[RunsAsked, CURSOR], responses=page_of(shapes.RunShape, "Run"))
    def get(self, request: Request) -> Response:
        asked = self.params(RunsAsked)
        rows = Run.objects.all() if allowed(request) is None else seen(request, Run.objects.all(), "books__account")
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return self.page(rows.exclude(state=Run.State.CLOSED) if asked["open"] else rows, shapes.RunShape)

    @extend_schema(request=shapes.SendAsked, responses={202: shapes.RunShape})
    @command
    def post(self, request: Request) -> Response:
        """Start exactly the previewed plan, once. 410 when it is too old or not the one that was previewed."""
        asked = self.body(shapes.SendAsked)
        if allowed(request) is not None:
            plan_of(request, asked["plan_id"])
        run = starting.start(asked["plan_id"], digest=asked["plan_hash"], idempotency_key=asked["plan_id"], by=actor(request))
        return Response({**shapes.RunShape(run).data, "links": [f"/api/v1/runs/{run.pk}"]}, status=202)


class RunOne(Door):
    @extend_schema(responses=shapes.RunDetail)
    def get(self, request: Request, pk: int) -> Response:
        """One run with its books, P&L and limits."""
        run = run_of(request, pk)
        shown, mine = run_page(run), allowed(request)
        books = [row for row in shown.books if mine is None or row.book.account_id in mine]
        body = {
            "run": run,
            "books": [row.book for row in books],
            "pnl": run_pnl(row.pnl for row in books),
            "limits": shown.terms,
            "blind_since": shown.blind_since,
        }
        return Response(shapes.RunDetail(body).data)


class RunOrders(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(OrderShape, "Order"))
    def get(self, request: Request, pk: int) -> Response:
        return self.page(orders_of(request).filter(book__run=run_of(request, pk)), OrderShape)


class RunFills(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(FillShape, "Fill"))
    def get(self, request: Request, pk: int) -> Response:
        rows = Fill.objects.select_related("book").filter(book__run=run_of(request, pk))
        return self.page(seen(request, rows), FillShape)


class RunPositions(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(PositionShape, "Position"))
    def get(self, request: Request, pk: int) -> Response:
        return self.page(positions_of(request).filter(book__run=run_of(request, pk)), PositionShape)


class RunRisk(Door):
    @extend_schema(responses=Guard(many=True))
    def get(self, request: Request, pk: int) -> Response:
        """Guards of an open run with level, present value and distance; none when it is closed."""
        run = run_of(request, pk)
        require_whole_run(request, run)
        rows = next((row.limits for row in risk_pages.run_rows() if row.run_id == run.pk), ())
        return Response(Guard(rows, many=True).data)


class RunEvents(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(Event, "RiskEvent"))
    def get(self, request: Request, pk: int) -> Response:
        run = run_of(request, pk)
        require_whole_run(request, run)
        return self.page(RiskEvent.objects.filter(run=run), Event)


class Stopped(serializers.Serializer[Any]):
    books = serializers.IntegerField(help_text="books that were still entering")


class RunStopEntries(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=Nothing, responses={202: Stopped})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """No more entries of this run: what was not sent is not, what rests is cancelled, what filled stays guarded."""
        run = run_of(request, pk)
        require_whole_run(request, run)
        return Response({"books": stop.stop_entries(run.pk, by=actor(request))}, status=202)


class RunExit(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.ExitAsked, responses={202: shapes.Goals})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Bring a run, its part in one account, one leg or one instrument of it, to flat, or `units` of it. Never gated."""
        asked, run = self.body(shapes.ExitAsked), run_of(request, pk)
        account_id = asked.get("account")
        if account_id is None:
            require_whole_run(request, run)
        else:
            require_accounts(request, [account_id])
        where = None if account_id is None else [account_id]
        by, key = actor(request), request.headers["Idempotency-Key"]
        if "leg" in asked:
            goals = _asked_for(byhand.close_leg(run.pk, asked["leg"], by=by, key=key, account_ids=where))
        elif "instrument" in asked:
            what, units = asked["instrument"], asked.get("units")
            goals = _asked_for(byhand.close_instrument(run.pk, what, by=by, key=key, account_ids=where, units=units))
        else:
            goals = stop.exit_run(run.pk, by=by, why=asked["reason"], account_id=account_id)
        return Response({"goals": goals, "links": [f"/api/v1/goals?run={run.pk}"]}, status=202)


def _asked_for(closed: list[byhand.Asked]) -> list[int]:
    return [one.goal.pk for one in closed if one.goal is not None]


class RunLimitsDoor(Door):
    @extend_schema(request=RunLimitsAsked, responses={202: Limits})
    @command
    def patch(self, request: Request, pk: int) -> Response:
        """Tightening is free, loosening needs a reason. What is not named stays."""
        asked, run = self.body(RunLimitsAsked), run_of(request, pk)
        require_whole_run(request, run)
        old = RunLimits.objects.filter(run=run).first()
        if old is None:
            raise Refused("This run has no limits to change.")
        before = arming.terms_of(old)
        arming.change(run.pk, limits_of(asked, before), by=actor(request), why=asked["reason"])
        return Response(Limits(RunLimits.objects.get(run=run)).data, status=202)
