"""Orders, fills, positions and exits across accounts; cancels and closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import account_of
from accounts.models import Account
from accounts.tokens.auth import require_accounts, seen
from algomirror.kernel import clock
from algomirror.ops import hooks
from algomirror.ops.api.doors import Door, Nothing, actor, command, found
from algomirror.ops.api.schema import CURSOR
from marketdata import quotes
from trading import api_shapes as shapes
from trading.domain.pnl import book_pnl
from trading.models import Book, ExitGoal, Fill, Order, Position
from trading.pages.compare import compared
from trading.services import byhand, cancel, convert, modify, reading


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


class OrderModify(Door):
    @extend_schema(request=shapes.ModifyAsked, responses={202: shapes.OrderShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Ask the broker for another price, trigger or total quantity. `change_state` says what became of it: ASKED until
        the order book shows it (DONE) or does not (REFUSED, UNSURE)."""
        found(orders_of(request), pk=pk)
        asked = self.body(shapes.ModifyAsked)
        return Response(shapes.OrderShape(modify.request(pk, by=actor(request), **asked)).data, status=202)


class OrderConvert(Door):
    @extend_schema(request=Nothing, responses={202: shapes.OrderShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """To the market: cancel, confirm by the books, send exactly what is left as a market-protected order."""
        found(orders_of(request), pk=pk)
        return Response(shapes.OrderShape(convert.request(pk, by=actor(request))).data, status=202)


class ModifyMany(Door):
    @extend_schema(request=shapes.ModifyManyAsked, responses={202: shapes.Outcomes})
    @command
    def post(self, request: Request) -> Response:
        """The same terms for several orders, one by one; each has its own outcome."""
        asked = self.body(shapes.ModifyManyAsked)
        return _outcomes(request, asked.pop("orders"), lambda pk: modify.request(pk, by=actor(request), **asked))


class ConvertMany(Door):
    @extend_schema(request=shapes.ManyAsked, responses={202: shapes.Outcomes})
    @command
    def post(self, request: Request) -> Response:
        """Several orders to the market, one by one; each has its own outcome."""
        return _outcomes(request, self.body(shapes.ManyAsked)["orders"], lambda pk: convert.request(pk, by=actor(request)))


class CancelMany(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.ManyAsked, responses={202: shapes.Outcomes})
    @command
    def post(self, request: Request) -> Response:
        """Several orders cancelled, one by one; each has its own outcome."""
        ask = self.body(shapes.ManyAsked)["orders"]
        return _outcomes(request, ask, lambda pk: byhand.cancel_order(pk, by=actor(request)))


def _outcomes(request: Request, ids: list[int], ask: Callable[[int], Order]) -> Response:
    """404 when one of the orders is not the caller's; else each is asked, whatever becomes of the others."""
    wanted = list(dict.fromkeys(ids))
    if orders_of(request).filter(pk__in=wanted).count() != len(wanted):
        raise Http404
    outcomes = byhand.each(wanted, ask)
    return Response(shapes.Outcomes({"outcomes": outcomes}).data, status=202)


def accounts_asked(request: Request, asked: dict[str, Any]) -> list[int]:
    """The accounts that a WhereAsked names; 404 for one that is not the caller's."""
    if "account" in asked:
        return [account_of(request, asked["account"]).pk]
    if "group" in asked:
        members = hooks.call("group_accounts", asked["group"])
        if members is None:
            raise Http404
        require_accounts(request, members)
        return list(Account.objects.filter(pk__in=members, archived_at=None).values_list("pk", flat=True))
    if "accounts" in asked:
        return [account_of(request, pk).pk for pk in dict.fromkeys(asked["accounts"])]
    return list(seen(request, Account.objects.filter(archived_at=None), "pk").values_list("pk", flat=True))


class CancelAll(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.WhereAsked, responses={202: shapes.Cancelled})
    @command
    def post(self, request: Request) -> Response:
        """Cancel every unfinished entry of these accounts."""
        ids = accounts_asked(request, self.body(shapes.WhereAsked))
        asked = cancel.request_for_accounts(ids, asked_by=actor(request), why="all entries cancelled by API")
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

    @extend_schema(request=shapes.CloseAsked, responses={202: shapes.Closing})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Ask that one instrument of a book be brought to flat, or made smaller by `units`."""
        found(positions_of(request), pk=pk)
        units = self.body(shapes.CloseAsked).get("units")
        asked = byhand.close_position(pk, by=actor(request), key=request.headers["Idempotency-Key"], units=units)
        return Response(shapes.Closing({"goal": asked.goal}).data, status=202)


class BookClose(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=Nothing, responses={202: shapes.Closing})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Ask that everything a book holds be brought to flat, its working entries cancelled first."""
        found(seen(request, Book.objects.all()), pk=pk)
        asked = byhand.close_book(pk, by=actor(request), key=request.headers["Idempotency-Key"])
        return Response(shapes.Closing({"goal": asked.goal}).data, status=202)


class AccountClose(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=Nothing, responses={202: shapes.Closings})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Ask that all books of an account be brought to flat. Entries go on elsewhere: /flatten stops them too."""
        return _closed(request, [account_of(request, pk).pk])


class CloseAll(Door):
    writes: ClassVar[str] = "exit"

    @extend_schema(request=shapes.WhereAsked, responses={202: shapes.Closings})
    @command
    def post(self, request: Request) -> Response:
        """Ask that all books of these accounts be brought to flat."""
        return _closed(request, accounts_asked(request, self.body(shapes.WhereAsked)))


def _closed(request: Request, account_ids: list[int]) -> Response:
    asked = byhand.close_accounts(account_ids, by=actor(request), key=request.headers["Idempotency-Key"])
    return Response(shapes.Closings({"goals": [one.goal for one in asked]}).data, status=202)


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
        return Response({"asked": reading.ask([account.pk])}, status=202)


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
