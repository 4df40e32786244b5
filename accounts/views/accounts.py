"""Pages of the accounts. Everything that changes something is a POST by the owner."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import health, selectors
from accounts.crypto import unseal
from accounts.forms import AccountForm, take_refusal
from accounts.gateway import stream_check
from accounts.models import Account
from accounts.services import account as services
from accounts.services.connection import Tried, try_connection
from accounts.views.access import owner_only, user_of
from algomirror.kernel.errors import Conflict, Refused

STREAM_WAIT_S, STREAM_SAYS_S = 10.0, 3.0


def _account(account_id: int) -> Account:
    account = Account.objects.filter(pk=account_id, archived_at=None).first()
    if account is None:
        raise Http404
    return account


def _cards() -> dict[str, Any]:
    return {"cards": selectors.cards(), "archived": selectors.archived_accounts()}


def _done(request: HttpRequest, said: str) -> HttpResponse:
    """The fresh cards for HTMX, the page for everybody else."""
    if not getattr(request, "htmx", False):
        return redirect("accounts")
    response = render(request, "accounts/_cards.html", _cards())
    response["HX-Retarget"], response["HX-Reswap"] = "#account-cards", "innerHTML"
    response["HX-Trigger"] = json.dumps({"am:toast": {"text": said, "kind": "info"}, "am:close-dialog": {}})
    return response


@require_GET
@never_cache
def accounts(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/accounts.html", _cards())


@require_GET
@never_cache
def account_cards(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/_cards.html", _cards())


@owner_only
@never_cache
@sensitive_post_parameters("key")
@require_http_methods(["GET", "POST"])
def account_new(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return render(request, "accounts/form.html", {"form": AccountForm()})
    form = AccountForm(request.POST)
    if form.is_valid():
        try:
            added = services.add_account(user_of(request), form.wanted())
            _say_if_silent(request, added, form.cleaned_data["key"].strip())
            return redirect("accounts")
        except Conflict:
            raise
        except Refused as refusal:
            take_refusal(form, refusal)
    return render(request, "accounts/form.html", {"form": form}, status=422)


def _say_if_silent(request: HttpRequest, account: Account, key: str) -> None:
    """Trading does not need the stream, so a wrong address of it is said and not refused."""
    if trouble := stream_check.sign_in(account.websocket_url, key, wait_s=STREAM_SAYS_S):
        messages.warning(request, f"{account.name} is saved, but its ticks cannot be heard yet. {trouble}")


@owner_only
@never_cache
@sensitive_post_parameters("key")
@require_http_methods(["GET", "POST"])
def account_edit(request: HttpRequest, account_id: int) -> HttpResponse:
    account = _account(account_id)
    if request.method == "GET":
        return render(request, "accounts/form.html", {"form": AccountForm(account=account), "account": account})
    form = AccountForm(request.POST, account=account)
    if form.is_valid():
        shown = form.cleaned_data["config_version"] or 0
        try:
            services.edit_account(user_of(request), account_id, form.wanted(), config_version=shown)
            return redirect("accounts")
        except Conflict:
            raise
        except Refused as refusal:
            take_refusal(form, refusal)
    return render(request, "accounts/form.html", {"form": form, "account": account}, status=422)


@owner_only
@sensitive_post_parameters("key")
@require_POST
def account_try(request: HttpRequest) -> HttpResponse:
    """Test what the form holds and save nothing; on the edit form an empty key means the one we have."""
    key = request.POST.get("key", "").strip()
    kept = request.POST.get("account", "")
    if not key and kept.isdecimal() and len(kept) < 10:
        key = unseal(_account(int(kept)).sealed_key)
    if len(key) < 10:
        raise Refused("An API key of at least 10 characters is needed for the test.", fields={"key": "Missing or too short."})
    return _tried(request, request.POST.get("host_url", ""), request.POST.get("websocket_url", ""), key)


@owner_only
@require_POST
def account_test(request: HttpRequest, account_id: int) -> HttpResponse:
    """Test a saved account, and let its link state learn from it."""
    account = _account(account_id)
    response = _tried(request, account.host_url, account.websocket_url, unseal(account.sealed_key), account=account)
    health.check_link(account_id)
    return response


def _tried(request: HttpRequest, host_url: str, websocket_url: str, key: str, *, account: Account | None = None) -> HttpResponse:
    tried: Tried = try_connection(host_url=host_url, websocket_url=websocket_url, key=key, stream_wait_s=STREAM_WAIT_S)
    template = "accounts/_steps.html" if getattr(request, "htmx", False) else "accounts/tried.html"
    return render(request, template, {"tried": tried, "account": account})


@owner_only
@require_POST
def account_primary(request: HttpRequest, account_id: int) -> HttpResponse:
    services.make_primary(user_of(request), account_id)
    return _done(request, "It feeds the prices from now on.")


@owner_only
@require_POST
def account_move(request: HttpRequest, account_id: int) -> HttpResponse:
    """One place up or down among the backups."""
    services.move_backup(user_of(request), account_id, up=request.POST.get("direction") == "up")
    return _done(request, "The order of the backups was changed.")


@owner_only
@require_POST
def account_entries(request: HttpRequest, account_id: int) -> HttpResponse:
    enabled = request.POST.get("enabled") == "1"
    services.set_entries_enabled(user_of(request), account_id, enabled)
    return _done(request, "Entries resumed." if enabled else "Entries paused; exits and stops go on.")


@owner_only
@require_POST
def account_archive(request: HttpRequest, account_id: int) -> HttpResponse:
    services.archive_account(user_of(request), account_id)
    return _done(request, "Archived. Its history stays.")
