"""Who asks, what they may, and about which accounts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import Http404
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import assigned, attempts
from accounts.models import User
from accounts.tokens.models import ApiToken
from accounts.tokens.services import SCOPES_OF_ROLE, recognise
from algomirror.ops import sight

M = TypeVar("M", bound=Model)
MINUTE = 60


class BearerToken(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = recognise(secret.strip()) if secret.isascii() and len(secret) < 200 else None
        if token is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        sight.narrow(assigned.of(token.user))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BearerTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.tokens.auth.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


def person(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def scopes_of(request: Request) -> frozenset[str]:
    """What the caller may: the role's scopes, and of a token no more than it was given."""
    if not isinstance(request.user, User) or not request.user.is_active:
        return frozenset()
    role = SCOPES_OF_ROLE.get(request.user.role, frozenset())
    return role & frozenset(request.auth.scopes) if isinstance(request.auth, ApiToken) else role


class MayDo(BasePermission):
    message = "This token or role does not have the scope that is wanted here."

    def has_permission(self, request: Request, view: Any) -> bool:
        return view.scope_wanted(str(request.method)) in scopes_of(request)


class Rationed(BaseThrottle):
    """What is costly, a minute per token or person. All requests are counted by the middleware of algomirror.frame."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if not getattr(view, "is_heavy", False) or not isinstance(request.user, User):
            return True
        who = f"t{request.auth.pk}" if isinstance(request.auth, ApiToken) else f"u{request.user.pk}"
        return attempts.spend("api-heavy", who, limit=a_minute(settings.RATE_HEAVY), seconds=MINUTE)

    def wait(self) -> float:
        return MINUTE


def a_minute(rate: str) -> int:
    """ "100/m" as 100."""
    return int(rate.partition("/")[0])


def allowed(request: Request) -> frozenset[int] | None:
    """The accounts that this person, by this token, may see; None for all."""
    mine = sight.seen()
    if not isinstance(request.auth, ApiToken) or not request.auth.is_limited:
        return mine
    lent = frozenset(request.auth.accounts.values_list("pk", flat=True))
    return lent if mine is None else lent & mine


def seen(request: Request, rows: QuerySet[M], field: str = "account") -> QuerySet[M]:
    """Rows of accounts that the caller may see."""
    ids = allowed(request)
    return rows if ids is None else rows.filter(**{f"{field}__in": ids}).distinct()


def require_accounts(request: Request, ids: Iterable[int]) -> None:
    """404 for an account that the token does not have: it is not told that it exists."""
    mine = allowed(request)
    if mine is not None and not set(ids) <= mine:
        raise Http404


def require_everything(request: Request) -> None:
    if allowed(request) is not None:
        raise PermissionDenied("Who is limited to accounts cannot act on the whole platform.")
