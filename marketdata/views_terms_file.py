"""Contract terms by file: shown first, then saved."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from algomirror.ops import importing
from marketdata import terms_file
from marketdata.views_calendar import owner

TERMS = importing.Kind(
    "Contract terms from a file", "instruments", "terms_file_approve", terms_file.COLUMNS, terms_file.compare, terms_file.save
)


@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    owner(request)
    return render(request, "ops/import.html", importing.shown(request, TERMS))


@require_POST
def approve(request: HttpRequest) -> HttpResponse:
    saved = importing.approved(request, TERMS, by=owner(request))
    messages.info(request, f"{saved} rows of contract terms saved.")
    return redirect(TERMS.back)
