"""The page of API tokens: made here, shown once, revoked here."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.tokens import services
from accounts.tokens.forms import TokenForm
from accounts.tokens.models import ApiToken
from algomirror.kernel.errors import Refused


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _rows(user: User) -> QuerySet[ApiToken]:
    rows = ApiToken.objects.select_related("user").prefetch_related("accounts")
    return rows if user.is_owner else rows.filter(user=user)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    if request.method != "POST":
        return render(request, "tokens/tokens.html", {"form": TokenForm(user=user), "rows": _rows(user)})
    form = TokenForm(request.POST, user=user)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            issued = services.issue(
                user, name=typed["name"], scopes=typed["scopes"], account_ids=typed["accounts"], days=typed["days"]
            )
        except Refused as refused:
            form.add_error(None, refused.message)
        else:
            return render(request, "tokens/issued.html", {"issued": issued})
    return render(request, "tokens/tokens.html", {"form": form, "rows": _rows(user)}, status=422)


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    services.revoke(pk, by=_user(request))
    messages.info(request, "Revoked. Whatever used it is refused from now on.")
    return redirect("tokens")
