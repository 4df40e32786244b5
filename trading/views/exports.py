"""What the lists show, as files."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from algomirror.ops.sheets import csv_response
from trading.forms import OrdersFilter, PositionsFilter, TradesFilter
from trading.pages import exports


@require_safe
def orders(request: HttpRequest) -> HttpResponseBase:
    return csv_response(exports.orders_table(OrdersFilter(request.GET).orders_wish()))


@require_safe
def trades(request: HttpRequest) -> HttpResponseBase:
    return csv_response(exports.trades_table(TradesFilter(request.GET).wish()))


@require_safe
def positions(request: HttpRequest) -> HttpResponseBase:
    return csv_response(exports.positions_table(PositionsFilter(request.GET).wish()))
