from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Account
from algomirror.ops import queue
from trading.forms import AccountFilter
from trading.pages import holdings as page
from trading.views.access import is_fragment, may_reduce, reducing


def _holdings(request: HttpRequest) -> dict[str, Any]:
    form = AccountFilter(request.GET)
    return {"filter": form, "page": page.holdings_page(form.account_id()), "may_reduce": may_reduce(request)}


@require_safe
def holdings(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/holdings.html", _holdings(request))


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/_holdings.html", _holdings(request))


@require_POST
def refresh(request: HttpRequest) -> HttpResponse:
    """Ask a worker to read every account's holdings now; the page never reads a broker itself."""
    reducing(request)
    ids = list(Account.objects.filter(archived_at=None).values_list("pk", flat=True))
    asked = bool(ids) and queue.enqueue("signals", "trading.tasks.holdings", *ids, key="holdings", waits_s=60)
    if is_fragment(request):
        return HttpResponse(status=204)
    if ids and not asked:
        messages.warning(request, "A reading was asked already, or the queue is down. The ages show when it is done.")
    return redirect("holdings")
