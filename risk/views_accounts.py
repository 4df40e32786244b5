from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from risk import pages_accounts
from trading.forms import AccountFilter
from trading.views.access import may_reduce


def _shown(request: HttpRequest) -> dict[str, Any]:
    form = AccountFilter(request.GET)
    return {"filter": form, "page": pages_accounts.account_positions(form.account_id()), "may_reduce": may_reduce(request)}


@require_safe
def account_positions(request: HttpRequest) -> HttpResponse:
    return render(request, "risk/account_positions.html", _shown(request))


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "risk/_account_positions.html", _shown(request))
