"""Trading states, the kill switch, guards and what they decided."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.db.models import Q
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import account_of
from accounts.tokens.auth import allowed, person, require_accounts, require_everything, scopes_of, seen
from algomirror.ops import hooks
from algomirror.ops.api.doors import Door, actor, command
from algomirror.ops.api.schema import CURSOR
from risk import api_shapes as shapes
from risk import pages
from risk.domain.states import TradingMode
from risk.models import RiskEvent, RunLimits
from risk.services import kill as killing
from risk.services import switch
from trading.models import Book, Run


def run_of(request: Request, pk: int) -> Run:
    """A run with a book in an account that the caller may see."""
    rows = Run.objects.filter(pk=pk)
    row = rows.first() if allowed(request) is None else seen(request, rows, "books__account").first()
    if row is None:
        raise Http404
    return row


def require_whole_run(request: Request, run: Run) -> None:
    """What changes a run as a whole wants all its accounts."""
    if allowed(request) is not None:
        require_accounts(request, Book.objects.filter(run=run).values_list("account_id", flat=True))


class Status(Door):
    @extend_schema(responses=shapes.Status)
    def get(self, request: Request) -> Response:
        """Trading states, and every open run with its P&L and guards, the nearest to a limit first."""
        mine = allowed(request)
        states, runs = pages.state_rows(), pages.run_rows()
        if mine is not None:
            visible = set(Book.objects.filter(account__in=mine).values_list("run_id", flat=True))
            states = [row for row in states if row.account_id is None or row.account_id in mine]
            runs = [row for row in runs if row.run_id in visible]
        return Response(shapes.Status({"states": states, "runs": runs}).data)


class Events(Door):
    @extend_schema(parameters=[shapes.EventsAsked, CURSOR], responses=shapes.EventPage)
    def get(self, request: Request) -> Response:
        """What guards and the kill switch decided, with their numbers."""
        asked, mine = self.params(shapes.EventsAsked), allowed(request)
        rows = RiskEvent.objects.all()
        if mine is not None:
            rows = rows.filter(Q(account__in=mine) | Q(book__account__in=mine) | Q(run__books__account__in=mine)).distinct()
        return self.page(rows.filter(run_id=asked["run"]) if "run" in asked else rows, shapes.Event)


class Limits(Door):
    @extend_schema(responses=shapes.Limits(many=True))
    def get(self, request: Request) -> Response:
        """The limits in force of every open run."""
        rows = RunLimits.objects.exclude(run__state=Run.State.CLOSED).order_by("-run_id")
        return Response(shapes.Limits(seen(request, rows, "run__books__account"), many=True).data)


class Kill(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.KillAsked, responses={202: shapes.Killed})
    @command
    def post(self, request: Request) -> Response:
        """REDUCE, CANCEL, FLATTEN or HALT the platform, a group, an account or a run. Never loosens; safe to repeat."""
        asked = self.body(shapes.KillAsked)
        scope, target = asked["scope"], asked.get("target")
        if scope == "platform":
            require_everything(request)
        elif scope == "account" and target is not None:
            account_of(request, target)
        elif scope == "group" and target is not None:
            for member in hooks.call("group_accounts", target) or ():
                account_of(request, member)
        elif target is not None:
            require_whole_run(request, run_of(request, target))
        done = killing.kill(scope=scope, target=target, level=asked["level"], by=actor(request), reason=asked["reason"])
        return Response(asdict(done), status=202)


class Release(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(request=shapes.ReleaseAsked, responses={202: shapes.State})
    @command
    def post(self, request: Request) -> Response:
        """Back to ACTIVE, by the owner, with a reason."""
        asked = self.body(shapes.ReleaseAsked)
        account_id = asked.get("account")
        if account_id is None:
            require_everything(request)
        account = None if account_id is None else account_of(request, account_id)
        switch.release(account, user=person(request), why=asked["reason"])
        return Response(_state(account_id), status=202)


def _state(account_id: int | None) -> Any:
    return shapes.State(next(row for row in pages.state_rows() if row.account_id == account_id)).data


class AccountState(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.StateAsked, responses={202: shapes.State})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """REDUCING or HALTED; ACTIVE is a release and wants the scope admin."""
        asked, account = self.body(shapes.StateAsked), account_of(request, pk)
        if asked["state"] != TradingMode.ACTIVE:
            switch.set_state(account, asked["state"], by=actor(request), why=asked["reason"])
        elif "admin" not in scopes_of(request):
            raise PermissionDenied("A release wants the scope admin.")
        else:
            switch.release(account, user=person(request), why=asked["reason"])
        return Response(_state(pk), status=202)


class AccountFlatten(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.FlattenAsked, responses={202: shapes.Killed})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Stop entries of an account, cancel them, and bring all its books to flat. External positions stay."""
        asked, account = self.body(shapes.FlattenAsked), account_of(request, pk)
        done = killing.kill(scope="account", target=account.pk, level="FLATTEN", by=actor(request), reason=asked["reason"])
        return Response(asdict(done), status=202)
