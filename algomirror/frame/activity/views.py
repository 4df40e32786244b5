from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from algomirror.frame.activity import entries
from algomirror.ops import queue


def _shown(request: HttpRequest) -> dict[str, Any]:
    form = entries.ActivityFilter(request.GET)
    form.is_valid()
    return {"form": form, "page": entries.page(form)}


@require_safe
@never_cache
def activity(request: HttpRequest) -> HttpResponse:
    return render(request, "ops/activity.html", _shown(request))


@require_safe
@never_cache
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "ops/_activity.html", _shown(request))


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    response = StreamingHttpResponse(entries.as_csv(entries.ActivityFilter(request.GET)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="activity.csv"'
    return response


@require_POST
def verify(request: HttpRequest) -> HttpResponse:
    """Have the whole chain walked. A long journal takes minutes, so a cluster does it and the page follows."""
    if not isinstance(request.user, User) or not request.user.may_reduce:
        raise PermissionDenied
    if queue.enqueue("signals", "algomirror.frame.tasks.verify_journal", key="verify-journal", waits_s=300):
        messages.info(request, "The chain is being verified; the verdict appears here and on the readiness board.")
    else:
        messages.warning(request, "A verification is waiting already, or the task queue is down: see Readiness.")
    return redirect("activity")
