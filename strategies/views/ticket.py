"""The order ticket: one contract or a basket, many accounts, preview, then exactly that."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from marketdata import quotes, selectors
from strategies import forms
from strategies.pages import plans
from strategies.services import ticket as tickets
from strategies.views.access import actor, checked, is_fragment, trader


@require_safe
def ticket(request: HttpRequest) -> HttpResponse:
    trader(request)
    asked = request.GET
    side = asked.get("side") or asked.get("action") or "BUY"
    initial = {
        "exchange": asked.get("exchange", ""),
        "symbol": asked.get("symbol", ""),
        "action": side if side in ("BUY", "SELL") else "BUY",
        "lots": asked.get("lots", "1"),
        "price_type": "MARKET_PROTECTED",
    }
    return render(request, "strategies/ticket.html", {"form": forms.TicketForm(initial=initial), **_contract(asked)})


@require_safe
def contract(request: HttpRequest) -> HttpResponse:
    """What is known of the chosen contract: terms and quote from the store."""
    return render(request, "strategies/_contract.html", _contract(request.GET))


def _contract(asked: Any) -> dict[str, Any]:
    row = selectors.instrument(asked.get("exchange", "")[:12], asked.get("symbol", "")[:50])
    if row is None:
        return {"instrument": None, "quote": None}
    quote = quotes.get([row.key]).get(row.key)
    return {
        "instrument": row,
        "quote": quote,
        "spread": None if quote is None or quote.ask is None or quote.bid is None else quote.ask - quote.bid,
        "received_ms": None if quote is None else int(quote.received_at.timestamp() * 1000),
    }


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """The drawer for a complete ticket; for a basket without accounts, the question which accounts."""
    user = trader(request)
    if request.POST.get("legs") and "accounts" not in request.POST:
        legs = forms.basket(request.POST["legs"])
        form = forms.TicketForm(initial={"legs": request.POST["legs"], "price_type": "MARKET_PROTECTED"})
        template = "strategies/_basket.html" if is_fragment(request) else "strategies/basket.html"
        return render(request, template, {"form": form, "basket": legs})
    form = forms.TicketForm(request.POST)
    checked(form)
    plan = tickets.preview_ticket(form.ticket(), user=user)
    template = "strategies/_plan.html" if is_fragment(request) else "strategies/plan.html"
    return render(request, template, {"page": plans.plan_page(plan)})


@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Send exactly the previewed ticket. A repeat answers with what the first sending made."""
    user = trader(request)
    form = forms.SendForm(request.POST)
    checked(form)
    sent = tickets.send_ticket(form.cleaned_data["plan"], digest=form.cleaned_data["digest"], by=actor(user))
    if is_fragment(request):
        return render(request, "strategies/_sent.html", {"sent": sent})
    messages.info(request, f"{len(sent.order_ids)} orders on their way, {len(sent.goal_ids)} exits asked.")
    return redirect("/orders")
