"""Limits above the run over the API: of an account, of a group, of all together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import account_of
from accounts.models import Account
from accounts.tokens.auth import allowed, require_accounts, require_everything
from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import LARGEST_ID, Asked, Door, actor, command
from risk import api_shapes as shapes
from risk import pages_limits as page
from risk.api import Limits
from risk.forms_limits import AccountLimitsForm, GroupLimitsForm
from risk.models import AccountLimits
from risk.services import daily, grouped

SCOPES = ("platform", "group", "account")
NOT_SET = "The limits were not set."


def _rupees() -> serializers.CharField:
    return serializers.CharField(max_length=24, allow_null=True, required=False)


def _count() -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=100_000, allow_null=True, required=False)


class CeilingAsked(Asked):
    """What is not named stays as it is; null takes a limit off. A group has the two daily limits."""

    scope = serializers.ChoiceField(choices=SCOPES)
    target = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LARGEST_ID, help_text="the account or group"
    )
    daily_loss = _rupees()
    daily_profit = _rupees()
    max_lots = _count()
    max_notional = _rupees()
    orders_per_minute = _count()
    orders_per_day = _count()
    max_runs = _count()
    losing_exits = _count()
    cool_down_minutes = _count()
    max_utilisation = _count()
    margin_alarm = _count()


class Ceiling(serializers.Serializer[Any]):
    scope = serializers.ChoiceField(choices=SCOPES)
    target = serializers.IntegerField(allow_null=True, help_text="the account or group; null: all accounts together")
    name = serializers.CharField()
    day_pnl = shapes.rupees(help_text="of live books if there are any, else of paper ones; null: unknown")
    day_pnl_by_mode = serializers.DictField(
        child=serializers.CharField(allow_null=True), help_text="LIVE and PAPER, those that are there: each is judged by itself"
    )
    entries_locked = serializers.CharField(help_text="why; empty: they are not")
    limits = serializers.DictField(child=serializers.CharField(allow_null=True), help_text="those that are on")
    changed_at = serializers.DateTimeField(allow_null=True)
    changed_by = serializers.CharField()


class Ceilings(Door):
    @extend_schema(responses=Ceiling(many=True))
    def get(self, request: Request) -> Response:
        """Limits above the run, with the day's P&L that they judge: all accounts together, groups, accounts."""
        return Response(Ceiling(_rows(request), many=True).data)


class LimitsDoor(Limits):
    @extend_schema(request=CeilingAsked, responses=Ceiling)
    @command
    def put(self, request: Request) -> Response:
        """Other limits of an account, of a group or of all accounts together."""
        asked = self.body(CeilingAsked)
        scope, target = asked.pop("scope"), asked.pop("target", None)
        if scope == "platform":
            if target is not None:
                raise Refused(NOT_SET, fields={"target": "the platform has none"})
            require_everything(request)
            _set_account(None, asked, by=actor(request))
        elif target is None:
            raise Refused(NOT_SET, fields={"target": f"which {scope}"})
        elif scope == "account":
            account = account_of(request, target)
            if account.archived_at is not None:
                raise Refused(NOT_SET, fields={"target": "the account is archived"})
            _set_account(account, asked, by=actor(request))
        else:
            _set_group(request, target, asked)
        now = next(row for row in _rows(request) if (row["scope"], row["target"]) == (scope, target))
        return Response(Ceiling(now).data)


def _set_account(account: Account | None, asked: Mapping[str, Any], *, by: str) -> None:
    row = AccountLimits.objects.filter(account=account).first()
    daily.set_limits(account, _judged(AccountLimitsForm(_typed(daily.NAMES, row, asked))), by=by)


def _set_group(request: Request, group_id: int, asked: Mapping[str, Any]) -> None:
    members = grouped.accounts_of(group_id)
    if members is None:
        raise Http404
    require_accounts(request, members)
    if others := sorted(set(asked) - set(grouped.NAMES)):
        raise Refused(NOT_SET, fields=dict.fromkeys(others, "a group has daily limits only"))
    form = GroupLimitsForm(_typed(grouped.NAMES, grouped.limits_of(group_id), asked))
    grouped.set_limits(group_id, _judged(form), by=actor(request))


def _typed(names: Iterable[str], row: object, asked: Mapping[str, Any]) -> dict[str, str]:
    """As a person would have typed them: what is asked, over what is in force."""
    wanted = {name: asked[name] if name in asked else getattr(row, name, None) for name in names}
    return {name: "" if value is None else str(value) for name, value in wanted.items()}


def _judged(form: AccountLimitsForm | GroupLimitsForm) -> dict[str, Any]:
    if not form.is_valid():
        raise Refused(NOT_SET, fields={name: " ".join(map(str, said)) for name, said in form.errors.items()})
    return form.cleaned_data


def _rows(request: Request) -> list[dict[str, Any]]:
    """Of a caller who is limited to accounts: theirs, and the groups that are wholly theirs."""
    mine = allowed(request)
    return [_row(row) for row in page.limits_page()["rows"] if mine is None or _is_of(row, set(mine))]


def _is_of(row: page.CeilingRow, mine: set[int]) -> bool:
    if row.group is not None:
        return set(grouped.accounts_of(row.group) or ()) <= mine
    return row.account in mine


def _row(row: page.CeilingRow) -> dict[str, Any]:
    scope = "group" if row.group is not None else "platform" if row.account is None else "account"
    names = grouped.NAMES if row.group is not None else daily.NAMES
    values = {name: getattr(row.limits, name, None) for name in names}
    return {
        "scope": scope,
        "target": row.group if row.group is not None else row.account,
        "name": row.name,
        "day_pnl": row.day_pnl,
        "day_pnl_by_mode": {mode: None if total is None else f"{total:.2f}" for mode, total in row.day.items()},
        "entries_locked": row.lock,
        "limits": {name: str(value) for name, value in values.items() if value is not None},
        "changed_at": None if row.limits is None else row.limits.changed_at,
        "changed_by": "" if row.limits is None else row.limits.changed_by,
    }
