"""Contract terms: everybody signed in may read them, traders may import, the owner decides disputes and types terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import queue
from marketdata import terms
from marketdata.forms_instruments import AcceptForm, FreezeForm, OverrideForm, TermsForm
from marketdata.instruments_page import instruments_page
from marketdata.reference.edit import edited, facts
from marketdata.rest import feed_accounts
from marketdata.views_calendar import owner


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "marketdata/instruments.html", _context(request))


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    return render(request, "marketdata/_progress.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    user = request.user
    return {
        "page": instruments_page(clock.now()),
        "may_edit": isinstance(user, User) and user.is_owner,
        "may_import": isinstance(user, User) and user.may_trade and bool(feed_accounts()),
        "override_form": OverrideForm(),
        "terms_form": TermsForm(),
        "freeze_form": FreezeForm(),
    }


@require_POST
def import_now(request: HttpRequest) -> HttpResponse:
    if not (isinstance(request.user, User) and request.user.may_trade):
        raise PermissionDenied
    accounts = feed_accounts()
    if not accounts:
        raise Refused("Connect an account first; its server supplies the list.")
    queue.enqueue("signals", "marketdata.tasks.refresh_instruments", accounts[0].pk, key="instruments", waits_s=60)
    return redirect("instruments")


@require_POST
def accept(request: HttpRequest, dispute_id: int) -> HttpResponse:
    actor = owner(request)
    form = AcceptForm(request.POST)
    form.is_valid()
    terms.accept(dispute_id, actor=actor, onwards=form.cleaned_data["onwards"])
    messages.info(request, "Accepted: our terms say the same as the broker's list now.")
    return redirect("instruments")


@require_POST
def override(request: HttpRequest, dispute_id: int) -> HttpResponse:
    actor = owner(request)
    form = OverrideForm(request.POST)
    if not form.is_valid():
        raise Refused("An override needs a reason.", fields={name: str(errors[0]) for name, errors in form.errors.items()})
    terms.override(dispute_id, actor=actor, **form.cleaned_data)
    messages.info(request, "Overridden: the listed contracts hold our figure.")
    return redirect("instruments")


@require_POST
def restore(request: HttpRequest, dispute_id: int) -> HttpResponse:
    terms.restore(dispute_id, actor=owner(request))
    messages.info(request, "Restored: the broker's list counts again, and the question is open.")
    return redirect("instruments")


@require_POST
def add_terms(request: HttpRequest) -> HttpResponse:
    actor = owner(request)
    return _add(request, TermsForm(request.POST, instance=_instance(TermsForm, request.POST)), "terms_form", actor)


@require_POST
def add_freeze(request: HttpRequest) -> HttpResponse:
    actor = owner(request)
    return _add(request, FreezeForm(request.POST, instance=_instance(FreezeForm, request.POST)), "freeze_form", actor)


def _instance(form: type[TermsForm] | type[FreezeForm], sent: Mapping[str, str]) -> Any:
    """The row of the same underlying and start, which saving then changes."""
    asked = form({"underlying": sent.get("underlying", ""), form.start: sent.get(form.start, "")})
    asked.is_valid()
    known = {name: asked.cleaned_data.get(name) for name in ("underlying", form.start)}
    if None in known.values():
        return None
    return form.Meta.model._default_manager.filter(**known).first()


def _add(request: HttpRequest, form: ModelForm[Any], name: str, actor: str) -> HttpResponse:
    before = facts(form.instance) if form.instance.pk else None
    if not form.is_valid():
        return render(request, "marketdata/instruments.html", _context(request) | {name: form, "editing": name}, status=422)
    with transaction.atomic():
        edited(form.save(), actor=actor, before=before)
    messages.info(request, "Saved. The listed contracts hold it already.")
    return redirect("instruments")
