"""Orders, fills, positions and exits across accounts; cancels and closes."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import account_of
from accounts.models import Account
from accounts.tokens.auth import seen
from algomirror.kernel import clock
from algomirror.ops import queue
from algomirror.ops.api.doors import Door, Nothing, actor, command, found
from algomirror.ops.api.schema import CURSOR
from marketdata import quotes
from trading import api_shapes as shapes
from trading.domain.pnl import book_pnl
from trading.models import ExitGoal, Fill, Order, Position
from trading.pages.compare import compared
from trading.services import byhand, cancel


def orders_of(request: Request) -> QuerySet[Order]:
    return seen(request, Order.objects.select_related("book"))


def positions_of(request: Request) -> QuerySet[Position]:
    return seen(request, Position.objects.select_related("book"), "book__account")


def goals_of(request: Request) -> QuerySet[ExitGoal]:
    return seen(request, ExitGoal.objects.select_related("book"), "book__account")


def _narrow(asked: dict[str, object], **names: str) -> Q:
    """The filters that were asked, each under the column's name."""
    return Q(**{column: asked[name] for name, column in names.items() if name in asked})


class Orders(Door):
    @extend_schema(parameters=[shapes.OrdersAsked, CURSOR], responses=shapes.page_of(shapes.OrderShape, "Order"))
    def get(self, request: Request) -> Response:
        """Orders of all accounts, newest first. Orders are placed by /ticket/preview and /ticket/send."""
        asked = self.params(shapes.OrdersAsked)
        which = _narrow(asked, account="account_id", run="book__run_id", day="trading_day", state="state")
        return self.page(orders_of(request).filter(which), shapes.OrderShape)


class OrderOne(Door):
    @extend_schema(responses=shapes.OrderShape)
    def get(self, request: Request, pk: int) -> Response:
        return Response(shapes.OrderShape(found(orders_of(request), pk=pk)).data)


class OrderCancel(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=Nothing, responses={202: shapes.OrderShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Ask that an order be cancelled. The order's state says what became of it."""
        found(orders_of(request), pk=pk)
        return Response(shapes.OrderShape(byhand.cancel_order(pk, by=actor(request))).data, status=202)


class CancelAll(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.CancelAllAsked, responses={202: shapes.Cancelled})
    @command
    def post(self, request: Request) -> Response:
        """Cancel every unfinished entry of one account, one by one."""
        account = account_of(request, self.body(shapes.CancelAllAsked)["account"])
        asked = cancel.request_for_account(account.pk, asked_by=actor(request), why="all entries cancelled by API")
        return Response({"asked": asked}, status=202)


class Trades(Door):
    @extend_schema(parameters=[shapes.DayAsked, CURSOR], responses=shapes.page_of(shapes.FillShape, "Fill"))
    def get(self, request: Request) -> Response:
        """Fills that trade books proved, newest first."""
        asked = self.params(shapes.DayAsked)
        rows = seen(request, Fill.objects.select_related("book"))
        which = _narrow(asked, account="account_id", run="book__run_id", day="trading_day")
        return self.page(rows.filter(which), shapes.FillShape)


class Positions(Door):
    @extend_schema(parameters=[shapes.PositionsAsked, CURSOR], responses=shapes.page_of(shapes.PositionShape, "Position"))
    def get(self, request: Request) -> Response:
        """What our books own. What a broker shows beyond them is under /reconciliation."""
        asked = self.params(shapes.PositionsAsked)
        rows = positions_of(request).filter(_narrow(asked, account="book__account_id", run="book__run_id"))
        return self.page(rows if asked["all"] else rows.exclude(units=0), shapes.PositionShape)


class PositionClose(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=Nothing, responses={202: shapes.Closing})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Ask that one instrument of a book be brought to flat."""
        found(positions_of(request), pk=pk)
        asked = byhand.close_position(pk, by=actor(request), key=request.headers["Idempotency-Key"])
        return Response(shapes.Closing({"goal": asked.goal}).data, status=202)


class Goals(Door):
    @extend_schema(parameters=[shapes.GoalsAsked, CURSOR], responses=shapes.page_of(shapes.GoalShape, "ExitGoal"))
    def get(self, request: Request) -> Response:
        """Exits asked for, and how far they are."""
        asked = self.params(shapes.GoalsAsked)
        rows = goals_of(request).filter(_narrow(asked, account="book__account_id", run="book__run_id"))
        return self.page(rows.exclude(state=ExitGoal.State.DONE) if asked["open"] else rows, shapes.GoalShape)


class Reconciliation(Door):
    @extend_schema(responses=shapes.Difference(many=True))
    def get(self, request: Request) -> Response:
        """Our books against each broker's last complete position read."""
        accounts = seen(request, Account.objects.filter(archived_at=None), "pk")
        rows = [
            {
                "account": account,
                "exchange": exchange,
                "symbol": symbol,
                "product": product,
                "ours": one.owned,
                "broker": one.broker_units,
                "verdict": one.verdict.value,
            }
            for (account, (exchange, symbol, product)), one in compared(accounts).items()
        ]
        return Response(shapes.Difference(rows, many=True).data)


class AccountRefresh(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=Nothing, responses={202: shapes.Cancelled})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Have the account's books read now. `asked` 0: a reading was already asked for."""
        account = account_of(request, pk)
        asked = queue.enqueue("orders", "trading.tasks.sync", account.pk, key=f"sync:{account.pk}")
        return Response({"asked": int(asked)}, status=202)


class AccountPnl(Door):
    @extend_schema(responses=shapes.PnlShape)
    def get(self, request: Request, pk: int) -> Response:
        """Realised and unrealised of all books that are not flat. Unknown as soon as one open leg has no fresh price."""
        account = found(seen(request, Account.objects.all(), "pk"), pk=pk)
        held = list(Position.objects.filter(book__account=account).exclude(book__state="FLAT"))
        pnl = book_pnl(held, quotes.get({p.key for p in held}), clock.now(), quotes.bounds())
        body = {
            "account": account.pk,
            "realised": pnl.realised,
            "unrealised": pnl.unrealised,
            "total": pnl.total,
            "missing": pnl.missing,
        }
        return Response(shapes.PnlShape(body).data)
