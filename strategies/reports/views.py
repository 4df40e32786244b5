from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from algomirror.ops.sheets import csv_response, xlsx_response
from strategies.reports import tables, year_tables
from strategies.reports.brokers import beside
from strategies.reports.day import day_report
from strategies.reports.forms import DayForm, NoteForm, YearForm
from strategies.reports.kinds import LABELS
from strategies.reports.year import year_report
from strategies.services import notecheck
from strategies.views.access import actor, user_of


@require_safe
def day(request: HttpRequest) -> HttpResponse:
    """422 when the day is none."""
    form = DayForm(request.GET)
    account = form.asked_account()
    if account is None or not form.is_valid():
        return render(request, "strategies/reports/day.html", {"form": form}, status=200 if account is None else 422)
    asked = form.cleaned_data["day"]
    context = {
        "form": form,
        "report": day_report(account, asked),
        "beside": beside(account),
        "query": urlencode({"account": account.pk, "day": asked.isoformat()}),
    }
    return render(request, "strategies/reports/day.html", context)


@require_safe
def day_file(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The lines as CSV, or everything as a workbook; 404 for another kind, another's account and no day."""
    form = DayForm(request.GET)
    account = form.asked_account()
    if account is None or not form.is_valid() or kind not in ("csv", "xlsx"):
        raise Http404
    report = day_report(account, form.cleaned_data["day"])
    if kind == "csv":
        return csv_response(tables.lines(report))
    return xlsx_response(f"{report.tag.name} {report.day}", tables.whole(report))


@require_safe
def tax_year(request: HttpRequest) -> HttpResponse:
    """422 when the year is none."""
    form = YearForm(request.GET)
    if not form.is_answerable():
        return render(request, "strategies/reports/tax_year.html", {"form": form}, status=422)
    asked = form.cleaned_data
    report = year_report(asked["year"], asked["mode"], asked["account"])
    query = {"year": report.year, "mode": report.mode}
    if asked["account"] is not None:
        query["account"] = asked["account"].pk
    context = {"form": form, "report": report, "labels": list(LABELS.values()), "query": urlencode(query)}
    return render(request, "strategies/reports/tax_year.html", context)


@require_safe
def tax_year_file(request: HttpRequest, kind: str) -> HttpResponseBase:
    """One table as CSV, or all of them as a workbook; 404 for another kind, another's account and no year."""
    form = YearForm(request.GET)
    if not form.is_answerable() or kind not in (*year_tables.KINDS, "xlsx"):
        raise Http404
    asked = form.cleaned_data
    report = year_report(asked["year"], asked["mode"], asked["account"])
    if kind == "xlsx":
        return xlsx_response(f"tax year {report.year} {report.mode}", year_tables.all_tables(report))
    return csv_response(year_tables.table(report, kind))


@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HttpRequest) -> HttpResponse:
    """Account and day stand in the address, the note's totals in the form; open to whoever may see the account."""
    asked = DayForm(request.GET)
    account = asked.asked_account()
    context: dict[str, Any] = {"asked": asked, "form": NoteForm(), "account": account}
    if account is None or not asked.is_valid():
        return render(request, "strategies/reports/note.html", context, status=200 if account is None else 422)
    day = asked.cleaned_data["day"]
    context |= {"day": day, "query": urlencode({"account": account.pk, "day": day.isoformat()})}
    if request.method != "POST":
        return render(request, "strategies/reports/note.html", context)
    context["form"] = form = NoteForm(request.POST, request.FILES)
    if not form.is_valid():
        return render(request, "strategies/reports/note.html", context, status=422)
    context["items"] = notecheck.check(account, day, form.cleaned_data["totals"], by=actor(user_of(request)))
    return render(request, "strategies/reports/note.html", context)
