"""The chart page and its candles as JSON."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from marketdata import charts, quotes, selectors
from marketdata.charts import Chart
from marketdata.forms_charts import ChartForm, default_legs


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    form = _form(request)
    context: dict[str, Any] = {"form": form, "indices": selectors.index_keys()}
    legs = form.cleaned_data["legs"] or default_legs()
    if not legs or not _is_listed(legs):
        return render(request, "marketdata/charts.html", context | {"legs": legs})
    chart = form.chart()
    known = quotes.get(leg.key for leg in chart.legs)
    rows = [{"leg": leg, "quote": known.get(leg.key), "weight": chart.weights[leg.key]} for leg in chart.legs]
    query = request.GET.urlencode()
    return render(request, "marketdata/charts.html", context | {"chart": chart, "rows": rows, "query": query, "legs": legs})


def _is_listed(legs: str) -> bool:
    """False for the default index before the first import; what a person typed is refused instead."""
    exchange, _, symbol = legs.partition(":")
    return legs != default_legs() or selectors.instrument(exchange, symbol) is not None


@require_safe
def candles(request: HttpRequest) -> HttpResponse:
    """At most five days of six legs."""
    try:
        chart: Chart = _form(request).chart()
        return JsonResponse(charts.read(chart, clock.now()))
    except Refused as refusal:
        return JsonResponse({"error": {"message": refusal.message, "fields": refusal.fields}}, status=422)


def _form(request: HttpRequest) -> ChartForm:
    form = ChartForm(request.GET)
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        raise Refused(f"{name}: {errors[0]}", fields={name: str(errors[0])})
    return form
