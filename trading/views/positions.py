from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from trading.forms import CloseClick, PositionsFilter
from trading.pages import positions as page
from trading.services import byhand
from trading.views.access import checked, is_fragment, may_reduce, reducing


def _positions(request: HttpRequest) -> dict[str, Any]:
    form = PositionsFilter(request.GET)
    return {"filter": form, "page": page.positions_page(form.wish()), "may_reduce": may_reduce(request)}


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
    kind, number = form.what()
    ask = byhand.close_book if kind == "book" else byhand.close_position
    asked = ask(number, by=by, key=form.cleaned_data["idempotency_key"])
    if is_fragment(request):
        return render(request, "trading/_close_outcome.html", {"asked": asked})
    messages.info(request, f"Exit asked: {asked.goal}." if asked.goal else "There is nothing to close.")
    return redirect("positions")
