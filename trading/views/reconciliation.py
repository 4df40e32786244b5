from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Account, User
from trading import forms_outside as forms
from trading.pages import reconciliation as page
from trading.services import outside
from trading.views.access import checked, may_reduce


def _deciding(request: HttpRequest) -> str:
    """The journal's name for this person, who may decide what belongs to whom. Raises PermissionDenied."""
    if not isinstance(request.user, User) or not request.user.may_trade:
        raise PermissionDenied
    return f"user:{request.user.username}"


def _shown(request: HttpRequest) -> dict[str, Any]:
    form = forms.ReconciliationFilter(request.GET)
    may_trade = isinstance(request.user, User) and request.user.may_trade
    return {
        "filter": form,
        "page": page.reconciliation_page(form.wish()),
        "may_reduce": may_reduce(request),
        "may_trade": may_trade,
    }


@require_safe
def reconciliation(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/reconciliation.html", _shown(request))


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "trading/_reconciliation.html", _shown(request))


@require_safe
def item(request: HttpRequest) -> HttpResponse:
    """What may be decided about one instrument of one account, and what each decision does."""
    _deciding(request)
    found = _item(request.GET.get("place", ""))
    line = found.line
    seen = {"place": line.name, "ours": line.compared.owned, "broker": line.compared.broker_units}
    context = {
        "found": found,
        "line": line,
        "adopt": forms.Adopt(initial=seen | {"price": found.price}, auto_id="adopt_%s").offer(found.adopters),
        "close": forms.CloseOutside(initial=seen, auto_id="close_%s").offer(found.holders),
        "leave": forms.Leave(initial=seen, auto_id="leave_%s"),
    }
    return render(request, "trading/reconciliation_item.html", context)


def _item(name: str) -> page.Deciding:
    try:
        forms.NAMED(name)
    except ValidationError as error:
        raise Http404 from error
    place = forms.place_of(name)
    account = Account.objects.filter(pk=place.account_id, archived_at=None).first()
    line = None if account is None else page.line_of(account, place.exchange, place.symbol, place.product)
    if line is None:
        raise Http404
    return page.deciding(line)


@require_POST
def adopt(request: HttpRequest) -> HttpResponse:
    by = _deciding(request)
    form = forms.Adopt(request.POST)
    checked(form)
    given = form.cleaned_data
    book = outside.adopt(
        form.what(), form.seen(), book_id=given["book"], price=given["price"], by=by, key=given["idempotency_key"]
    )
    return _done(request, f"Adopted into {book.run or 'the ticket book'}. The next reading confirms it.")


@require_POST
def close(request: HttpRequest) -> HttpResponse:
    by = _deciding(request)
    form = forms.CloseOutside(request.POST)
    checked(form)
    given = form.cleaned_data
    outside.close_outside(
        form.what(), form.seen(), book_id=given["book"], price=given["price"], by=by, key=given["idempotency_key"]
    )
    return _done(request, "Booked as closed outside. The next reading confirms it.")


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    by = _deciding(request)
    form = forms.Leave(request.POST)
    checked(form)
    given = form.cleaned_data
    outside.leave(form.what(), form.seen(), by=by, key=given["idempotency_key"], why=given["why"])
    return _done(request, "Left outside. It is shown as such until it changes.")


@require_POST
def thaw(request: HttpRequest) -> HttpResponse:
    by = _deciding(request)
    given = _given(forms.Thaw(request.POST))
    book = outside.thaw(given["book"], by=by, why=given["why"])
    return _done(request, f"{book.run or 'The ticket book'} in {book.account} acts again.")


@require_POST
def order(request: HttpRequest) -> HttpResponse:
    by = _deciding(request)
    given = _given(forms.Doubtful(request.POST))
    if given["broker_order_id"]:
        found = outside.is_this(given["order"], given["broker_order_id"], by=by, why=given["why"])
        return _done(
            request, f"{found} is the broker's order {given['broker_order_id']}. Its trades are booked by the next reading."
        )
    found = outside.never_sent(given["order"], by=by, why=given["why"])
    return _done(request, f"{found}: journaled as never sent.")


def _given(form: Form) -> dict[str, Any]:
    checked(form)
    return form.cleaned_data


def _done(request: HttpRequest, text: str) -> HttpResponse:
    messages.info(request, text)
    return redirect("reconciliation")
