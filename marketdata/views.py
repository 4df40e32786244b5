"""The option chain page."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import queue
from marketdata import calendar, instruments
from marketdata.chain import chain_view
from marketdata.columns import COLUMNS, cells_across, chosen_columns, remember
from marketdata.forms import WIDTHS, ChainForm, ColumnsForm
from marketdata.rest import feed_accounts
from marketdata.status import feed_status


@require_GET
def chain(request: HttpRequest) -> HttpResponse:
    context = _context(request)
    response = render(request, "marketdata/chain.html", context)
    # Who watches the import gets the whole page once there is a chain to show.
    view = context.get("view")
    if request.headers.get("HX-Target") == "chain-import" and view and view.rows:
        response["HX-Refresh"] = "true"
    return response


@require_GET
def chain_table(request: HttpRequest) -> HttpResponse:
    return render(request, "marketdata/_chain.html", _context(request))


@require_POST
def import_now(request: HttpRequest) -> HttpResponse:
    """Ask for an import of the contract list; the page shows how it goes."""
    if not (isinstance(request.user, User) and request.user.may_trade):
        raise PermissionDenied
    accounts = feed_accounts()
    if not accounts:
        raise Refused("Connect an account first; its server supplies the list.")
    queue.enqueue("signals", "marketdata.tasks.refresh_instruments", accounts[0].pk, key="instruments", waits_s=60)
    return redirect("chain")


@require_POST
def choose_columns(request: HttpRequest) -> HttpResponse:
    """Remember which columns this person wants; the next chain page shows them."""
    form = ColumnsForm(request.POST)
    if not form.is_valid():
        raise Refused("Unknown column.", fields={"columns": "unknown"})
    assert isinstance(request.user, User)
    remember(request.user, form.cleaned_data["columns"])
    back = redirect("chain")
    if query := form.cleaned_data["query"]:
        back["Location"] += f"?{query}"
    return back


def _context(request: HttpRequest) -> dict[str, Any]:
    form = ChainForm(request.GET)
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        raise Refused(f"{name}: {errors[0]}", fields={name: str(errors[0])})
    chosen = form.cleaned_data
    context: dict[str, Any] = {"form": form, "chosen": chosen, "widths": WIDTHS, "progress": instruments.progress()}
    assert isinstance(request.user, User)
    columns = chosen_columns(request.user)
    context |= {"columns": columns, "all_columns": COLUMNS, "across": cells_across(columns)}
    context["has_accounts"] = Account.objects.filter(archived_at=None).exists()
    underlying = form.enabled.get(chosen["underlying"])
    if underlying is None or chosen["expiry"] is None:
        return context
    now = clock.now()
    view = chain_view(underlying, chosen["expiry"], chosen["width"], now)
    return context | {
        "view": view,
        "market": calendar.market_state(underlying.derivative_exchange, now),
        "feed": feed_status(now),
        "days_left": (view.expiry - clock.today()).days,
    }
