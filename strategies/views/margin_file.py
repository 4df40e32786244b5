"""The margin table by file: shown first, then saved."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from algomirror.ops import importing
from risk.services import figures_file
from strategies.views.access import actor, whole_trader

FIGURES = importing.Kind(
    title="Margin figures from a file",
    back="margin-requirements",
    approve="margin-file-approve",
    columns=figures_file.COLUMNS,
    compare=figures_file.compare,
    save=figures_file.save,
)


@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    whole_trader(request)
    return render(request, "ops/import.html", importing.shown(request, FIGURES))


@require_POST
def approve(request: HttpRequest) -> HttpResponse:
    saved = importing.approved(request, FIGURES, by=actor(whole_trader(request)))
    messages.info(request, f"{saved} figures saved.")
    return redirect(FIGURES.back)
