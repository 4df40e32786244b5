from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import Account
from trading.forms import CloseClick, PositionsFilter
from trading.pages import positions as page
from trading.services import byhand
from trading.views.access import asked_query, checked, is_fragment, may_reduce, reducing


def _positions(request: HttpRequest) -> dict[str, Any]:
    form = PositionsFilter(request.GET)
    return {
        "filter": form,
        "page": page.positions_page(form.wish()),
        "may_reduce": may_reduce(request),
        "query": asked_query(request),
    }


@require_safe
def positions(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/positions.html", _positions(request))


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/_positions.html", _positions(request))


@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest) -> HttpResponse:
    """GET shows what would be closed, for browsers without scripts; POST asks for the exit goal."""
    by = reducing(request)
    if request.method != "POST":
        closing = page.closing(request.GET.get("target", ""))
        if closing is None:
            raise Http404
        return render(request, "trading/close.html", {"closing": closing})
    form = CloseClick(request.POST)
    checked(form)
    asked = _ask(form, by)
    goals = [one.goal for one in asked if one.goal is not None]
    if is_fragment(request):
        return render(request, "trading/_close_outcome.html", {"asked": [one for one in asked if one.goal is not None]})
    messages.info(request, f"Exit asked: {', '.join(map(str, goals))}." if goals else "There is nothing to close.")
    return redirect("positions")


def _ask(form: CloseClick, by: str) -> list[byhand.Asked]:
    """One entry per book that was asked."""
    kind, numbers = form.what()
    key = form.cleaned_data["idempotency_key"]
    if kind == "position":
        return [byhand.close_position(numbers[0], by=by, key=key, units=form.cleaned_data.get("units"))]
    if kind == "book":
        return [byhand.close_book(numbers[0], by=by, key=key)]
    if kind == "leg":
        return byhand.close_leg(numbers[0], numbers[1], by=by, key=key)
    ids = numbers or list(Account.objects.filter(archived_at=None).values_list("pk", flat=True))
    return byhand.close_accounts(ids, by=by, key=key)
