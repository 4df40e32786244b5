"""Notes and tags of a run."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from strategies import forms
from strategies.services import notes
from strategies.views.access import actor, checked, run_or_404, trader


@require_POST
def add(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    form = forms.NoteForm(request.POST)
    checked(form)
    notes.add(run_or_404(pk), form.cleaned_data["text"], author=user)
    return redirect("run", pk=pk)


@require_POST
def tag(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    form = forms.TagsForm(request.POST)
    checked(form)
    notes.tag(run_or_404(pk), form.listed(), by=actor(user))
    return redirect("run", pk=pk)
