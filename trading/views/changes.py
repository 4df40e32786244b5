"""Changing orders that work: other terms, to the market, and every entry cancelled."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from algomirror.kernel.errors import Refused
from trading.forms import CancelAllClick, MarketClick, ModifyForm
from trading.models import Order
from trading.pages import orders as page
from trading.services import byhand, cancel, convert
from trading.services import modify as changing
from trading.views.access import checked, is_fragment, reducing, trading

METHODS = ["GET", "HEAD", "POST"]


def _order(number: object) -> Order:
    text = str(number or "")
    found = Order.objects.filter(pk=int(text)).first() if text.isdecimal() and len(text) < 19 else None
    if found is None:
        raise Http404
    return found


@require_http_methods(METHODS)
def modify(request: HttpRequest) -> HttpResponse:
    """GET shows the order's present terms to change; POST asks the broker for others."""
    by = trading(request)
    if request.method != "POST":
        order = _order(request.GET.get("order"))
        initial = {"order": order.pk, "price": order.price, "trigger_price": order.trigger_price, "units": order.units}
        template = "trading/_modify.html" if is_fragment(request) else "trading/modify.html"
        # Beside the ticket's own fields on one page: names of its own, so that a label leads to the right one.
        form = ModifyForm(initial=initial, auto_id="modify_%s").of(order)
        return render(request, template, {"form": form, "row": page.order_row(order.pk)})
    form = ModifyForm(request.POST)
    checked(form)
    found = Order.objects.filter(pk=form.cleaned_data["order"]).first()
    terms = {} if found is None else form.terms(found)
    if found is not None and not terms:
        raise Refused("Nothing was asked.", fields={"price": "type another price, trigger or quantity"})
    return _answer(request, form, lambda pk: changing.request(pk, by=by, **terms), "Change", same_units="units" in terms)


@require_http_methods(METHODS)
def to_market(request: HttpRequest) -> HttpResponse:
    """GET shows what would go out; POST asks for it."""
    by = trading(request)
    if request.method != "POST":
        return render(request, "trading/to_market.html", {"row": page.order_row(_order(request.GET.get("order")).pk)})
    form = MarketClick(request.POST)
    checked(form)
    return _answer(request, form, lambda pk: convert.request(pk, by=by), "To the market")


def _answer(
    request: HttpRequest, form: MarketClick, ask: Callable[[int], Order], what: str, *, same_units: bool = False
) -> HttpResponse:
    """One order answers with its own refusal; several with a line each."""
    asked = form.cleaned_data["order"]
    found = Order.objects.filter(pk=asked).first()
    everywhere = found is not None and form.cleaned_data["everywhere"]
    ids = byhand.siblings(found, same_units=same_units) if found is not None and everywhere else [asked]
    outcomes = byhand.each(ids, ask) if len(ids) > 1 else [byhand.one(ask(ids[0]))]
    if is_fragment(request):
        return render(request, "trading/_change_outcome.html", {"outcomes": outcomes, "what": what})
    done = sum(outcome.asked for outcome in outcomes)
    messages.info(request, f"{what}: asked for {done} of {len(outcomes)}. The table shows what becomes of it.")
    for outcome in outcomes:
        if outcome.error:
            messages.error(request, f"{outcome.account}: {outcome.error}")
    return redirect("orders")


@require_http_methods(METHODS)
def cancel_all(request: HttpRequest) -> HttpResponse:
    """GET asks which account; POST cancels every unfinished entry there, one by one."""
    by = reducing(request)
    if request.method != "POST":
        return render(request, "trading/cancel_all.html", {"form": CancelAllClick(request.GET or None)})
    form = CancelAllClick(request.POST)
    checked(form)
    asked = cancel.request_for_accounts(form.account_ids(), asked_by=by, why="all entries cancelled by hand")
    if is_fragment(request):
        return render(request, "trading/_cancel_all_outcome.html", {"asked": asked})
    messages.info(request, f"{asked} entries are being cancelled. The table shows what becomes of them.")
    return redirect("orders")
