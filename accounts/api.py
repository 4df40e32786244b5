"""Accounts and what their brokers last said. No key ever leaves through here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import api_shapes as shapes
from accounts.crypto import unseal
from accounts.models import Account, BrokerRead
from accounts.services import account as services
from accounts.services.connection import Tried, try_connection
from accounts.tokens.auth import allowed, person, require_everything, scopes_of, seen
from algomirror.kernel import clock
from algomirror.ops.api.doors import Door, Nothing, command, found

KINDS = {"funds": "FUNDS", "orders": "ORDERS", "trades": "TRADES", "positions": "POSITIONS", "holdings": "HOLDINGS"}


def account_of(request: Request, pk: int) -> Account:
    return found(seen(request, Account.objects.filter(archived_at=None), "pk"), pk=pk)


def tried_row(tried: Tried) -> dict[str, Any]:
    steps = [{"name": s.name, "is_good": s.is_good, "text": s.text, "is_required": s.is_required} for s in tried.steps]
    return {"is_good": tried.is_good, "broker": tried.broker, "mode": tried.mode, "steps": steps}


class Me(Door):
    @extend_schema(responses=shapes.Me)
    def get(self, request: Request) -> Response:
        """Who this is, and what this session or token may."""
        user, mine = person(request), allowed(request)
        body = {
            "username": user.username,
            "role": user.role,
            "scopes": sorted(scopes_of(request)),
            "accounts": None if mine is None else sorted(mine),
        }
        return Response(shapes.Me(body).data)


class Accounts(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(responses=shapes.AccountShape(many=True))
    def get(self, request: Request) -> Response:
        """All accounts in use: primary first, then the backups in their order."""
        return Response(shapes.AccountShape(seen(request, Account.objects.filter(archived_at=None), "pk"), many=True).data)

    @extend_schema(request=shapes.AddAsked, responses={201: shapes.AccountShape})
    @command
    def post(self, request: Request) -> Response:
        """Test a server and add it. Nothing is saved when the test fails."""
        require_everything(request)
        asked = self.body(shapes.AddAsked)
        added = services.add_account(person(request), services.Wanted(**asked))
        return Response(shapes.AccountShape(added).data, status=201)


class TryServer(Door):
    writes: ClassVar[str] = "admin"
    is_heavy: ClassVar[bool] = True

    @extend_schema(request=shapes.TryAsked, responses=shapes.Tried)
    @command
    def post(self, request: Request) -> Response:
        """Try a server step by step, without saving anything."""
        require_everything(request)
        asked = self.body(shapes.TryAsked)
        return Response(tried_row(try_connection(**asked)))


class AccountOne(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(responses=shapes.AccountShape)
    def get(self, request: Request, pk: int) -> Response:
        return Response(shapes.AccountShape(found(seen(request, Account.objects.all(), "pk"), pk=pk)).data)

    @extend_schema(request=shapes.EditAsked, responses=shapes.AccountShape)
    @command
    def patch(self, request: Request, pk: int) -> Response:
        """Change what is named. 409 when the account was changed since `config_version`."""
        asked, account = self.body(shapes.EditAsked), account_of(request, pk)
        version = asked.pop("config_version")
        wanted = replace(services.as_it_is(account), **asked)
        return Response(shapes.AccountShape(services.edit_account(person(request), pk, wanted, config_version=version)).data)


class AccountTest(Door):
    writes: ClassVar[str] = "admin"
    is_heavy: ClassVar[bool] = True

    @extend_schema(request=Nothing, responses=shapes.Tried)
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Try the saved address and key of an account."""
        account = account_of(request, pk)
        key = unseal(account.sealed_key)
        return Response(tried_row(try_connection(host_url=account.host_url, websocket_url=account.websocket_url, key=key)))


class _Act(Door):
    writes: ClassVar[str] = "admin"

    def shown(self, pk: int) -> Response:
        return Response(shapes.AccountShape(Account.objects.get(pk=pk)).data, status=202)


class AccountPrimary(_Act):
    @extend_schema(request=Nothing, responses={202: shapes.AccountShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Make this account the source of market data."""
        services.make_primary(person(request), account_of(request, pk).pk)
        return self.shown(pk)


class AccountArchive(_Act):
    @extend_schema(request=Nothing, responses={202: shapes.AccountShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Out of use for ever; refused while anything of it is open."""
        services.archive_account(person(request), account_of(request, pk).pk)
        return self.shown(pk)


class AccountEntries(_Act):
    @extend_schema(request=shapes.EntriesAsked, responses={202: shapes.AccountShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Entries on or off. Guards and exits never look at this."""
        asked = self.body(shapes.EntriesAsked)
        services.set_entries_enabled(person(request), account_of(request, pk).pk, asked["enabled"])
        return self.shown(pk)


class BrokerRows(Door):
    @extend_schema(responses=shapes.BrokerRows)
    def get(self, request: Request, pk: int, kind: str) -> Response:
        """What the broker last said, from our store, with its age."""
        account = found(seen(request, Account.objects.all(), "pk"), pk=pk)
        row = BrokerRead.objects.filter(account=account, kind=KINDS[kind]).first()
        return Response(shapes.BrokerRows(_read(account.pk, KINDS[kind], row)).data)


def _read(account_id: int, kind: str, row: BrokerRead | None) -> dict[str, Any]:
    at = None if row is None else row.finished_at
    return {
        "account": account_id,
        "kind": kind,
        "complete": at is not None,
        "as_of": at,
        "age_ms": None if at is None else round((clock.now() - at).total_seconds() * 1000),
        "attempted_at": None if row is None else row.attempted_at,
        "error": "not read yet" if row is None else row.error,
        "rows": None if row is None or at is None else row.rows,
    }
