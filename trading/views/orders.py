from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Account
from trading.forms import CancelAllClick, CancelClick, OrdersFilter, TradesFilter
from trading.pages import orders as page
from trading.pages import trades as trades_page
from trading.pages.working import by_hand
from trading.services import byhand, reading
from trading.views.access import asked_query, before_of, checked, is_fragment, may_reduce, may_trade, reducing


def _orders(request: HttpRequest) -> dict[str, Any]:
    form, before = OrdersFilter(request.GET), before_of(request)
    return {
        "filter": form,
        "page": page.orders_page(replace(form.orders_wish(), before=before)),
        "before": before,
        "query": asked_query(request),
        "may_reduce": may_reduce(request),
        "may_trade": may_trade(request),
    }


@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/orders.html", _orders(request) | {"cancel_all": CancelAllClick(auto_id="cancel_all_%s")})


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/_orders.html", _orders(request))


@require_safe
def working(request: HttpRequest) -> HttpResponse:
    """The ticket's own part of the orders page."""
    rows = by_hand()
    return render(
        request, "trading/_working.html", {"rows": rows, "may_reduce": may_reduce(request), "may_trade": may_trade(request)}
    )


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest) -> HttpResponse:
    """GET shows what would be cancelled, for browsers without scripts; POST asks for it."""
    by = reducing(request)
    if request.method != "POST":
        return _confirm(request)
    form = CancelClick(request.POST)
    checked(form)
    order = byhand.cancel_order(form.cleaned_data["order"], by=by)
    if is_fragment(request):
        return render(request, "trading/_cancel_outcome.html", {"order": order})
    messages.info(request, f"{order.symbol}: cancel asked. The table shows what becomes of it.")
    return redirect("orders")


def _confirm(request: HttpRequest) -> HttpResponse:
    number = request.GET.get("order", "")
    row = page.order_row(int(number)) if number.isdecimal() and len(number) < 19 else None
    if row is None:
        raise Http404
    return render(request, "trading/cancel.html", {"row": row})


@require_POST
def sync(request: HttpRequest) -> HttpResponse:
    """Ask the poller to read every account's books now; the page never reads a broker itself."""
    reducing(request)
    ids = list(Account.objects.filter(archived_at=None).values_list("pk", flat=True))
    asked = reading.ask(ids)
    if is_fragment(request):
        return HttpResponse(status=204)
    if ids and not asked:
        messages.warning(request, "A reading was asked already, or the queue is down. The ages show when it is done.")
    back = request.META.get("HTTP_REFERER", "").rstrip("/").rpartition("/")[2]
    return HttpResponseRedirect(f"/{back}" if back in {"orders", "positions", "trades"} else "/orders")


def _trades(request: HttpRequest) -> dict[str, Any]:
    form, before = TradesFilter(request.GET), before_of(request)
    return {
        "filter": form,
        "page": trades_page.trades_page(replace(form.wish(), before=before)),
        "before": before,
        "query": asked_query(request),
        "may_reduce": may_reduce(request),
    }


@require_safe
def trades(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/trades.html", _trades(request))


@require_safe
def trade_rows(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/_trades.html", _trades(request))
