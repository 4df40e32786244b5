"""A person's own tokens. Making, narrowing and revoking them by a program wants the scope admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens import services
from accounts.tokens.auth import allowed, person, require_accounts, scopes_of
from accounts.tokens.models import ApiToken
from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import Asked, Door, Nothing, command, found

SCOPES = ApiToken.Scope.values


class TokenShape(serializers.ModelSerializer[ApiToken]):
    scopes = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = ApiToken
        fields = (
            "id",
            "name",
            "prefix",
            "scopes",
            "accounts",
            "is_limited",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        )
        ref_name = "Token"


class TokenMade(serializers.Serializer[Any]):
    token = TokenShape()
    secret = serializers.CharField(help_text="what the program sends; it is said this once")


class TokenAsked(Asked):
    name = serializers.CharField(max_length=60)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), min_length=1, max_length=4)
    accounts = serializers.ListField(
        child=serializers.IntegerField(min_value=1), max_length=200, required=False, help_text="absent: all"
    )
    days = serializers.IntegerField(min_value=1, max_value=services.LONGEST_DAYS, default=90)


class TokenEdit(Asked):
    name = serializers.CharField(max_length=60, required=False)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), min_length=1, max_length=4, required=False)
    accounts = serializers.ListField(child=serializers.IntegerField(min_value=1), min_length=1, max_length=200, required=False)


class TokensShape(serializers.Serializer[Any]):
    results = TokenShape(many=True)


def tokens_of(request: Request) -> QuerySet[ApiToken]:
    """A person's own; a program without the scope admin knows only the token it came with."""
    mine = ApiToken.objects.filter(user=person(request))
    if isinstance(request.auth, ApiToken) and "admin" not in scopes_of(request):
        return mine.filter(pk=request.auth.pk)
    return mine


def token_of(request: Request, pk: int) -> ApiToken:
    return found(tokens_of(request), pk=pk)


class Tokens(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(responses=TokensShape)
    def get(self, request: Request) -> Response:
        """Your own tokens, newest first, also those that ended. Secrets are not kept."""
        rows = tokens_of(request).prefetch_related("accounts")[:200]
        return Response({"results": TokenShape(rows, many=True).data})

    @extend_schema(request=TokenAsked, responses={201: TokenMade})
    @command
    def post(self, request: Request) -> Response:
        """A new token of yours, with no more scopes and accounts than the caller has. A replay does not say the secret again."""
        asked = self.body(TokenAsked)
        if not set(asked["scopes"]) <= scopes_of(request):
            raise PermissionDenied("A token cannot make one that may more.")
        accounts, mine = asked.get("accounts"), allowed(request)
        if accounts is None and mine is not None:
            accounts = sorted(mine)
        if accounts is not None and not accounts:
            raise Refused("The token was not made.", fields={"accounts": "choose at least one"})
        require_accounts(request, accounts or ())
        made = services.issue(
            person(request), name=asked["name"], scopes=asked["scopes"], account_ids=accounts or (), days=asked["days"]
        )
        response = Response({"token": TokenShape(made.token).data}, status=201)
        response.once = {"secret": made.secret}  # type: ignore[attr-defined]
        return response


class TokenOne(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(responses=TokenShape)
    def get(self, request: Request, pk: int) -> Response:
        return Response(TokenShape(token_of(request, pk)).data)

    @extend_schema(request=TokenEdit, responses=TokenShape)
    @command
    def patch(self, request: Request, pk: int) -> Response:
        """Another name, fewer scopes, fewer accounts. Never more."""
        asked, token = self.body(TokenEdit), token_of(request, pk)
        changed = services.change(
            token, by=person(request), name=asked.get("name"), scopes=asked.get("scopes"), account_ids=asked.get("accounts")
        )
        return Response(TokenShape(changed).data)


class TokenRevoke(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(request=Nothing, responses={202: TokenShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """At once and for ever."""
        services.revoke(token_of(request, pk).pk, by=person(request))
        return Response(TokenShape(token_of(request, pk)).data, status=202)
