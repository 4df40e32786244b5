from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from algomirror.ops.sheets import csv_response, xlsx_response
from strategies.analytics import page, tables
from strategies.analytics.forms import AnalyticsFilter


@require_safe
def analytics(request: HttpRequest) -> HttpResponse:
    form = AnalyticsFilter(request.GET)
    context = {
        "form": form,
        "page": page.analytics(form.wish(), span=form.summed_by()),
        "span_title": f"By {form.summed_by()}",
        "query": request.GET.urlencode(),
    }
    return render(request, "strategies/analytics.html", context)


@require_safe
def journal(request: HttpRequest) -> HttpResponse:
    """Runs with their ends, notes and tags: part of the analytics."""
    return redirect("/analytics#runs-h")


@require_safe
def equity(request: HttpRequest) -> JsonResponse:
    return JsonResponse(page.equity_series(AnalyticsFilter(request.GET).wish()))


@require_safe
def export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """One table as CSV, or all of them as a workbook."""
    found = page.analytics(AnalyticsFilter(request.GET).wish())
    if kind == "xlsx":
        return xlsx_response("analytics", tables.all_tables(found))
    if kind not in tables.KINDS:
        raise Http404
    return csv_response(tables.table(found, kind))
