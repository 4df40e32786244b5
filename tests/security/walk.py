"""Every route of the URL map, with a world in which each of them has something to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Account, Invite, LoginSession, User
from accounts.services import people
from algomirror.kernel import clock
from algomirror.ops import alarms, journal
from algomirror.ops.models import Alarm
from strategies.models import Strategy, Version
from tests import cast

# Signing in and watching leave rows that are no trading state.
ACCESS_RECORDS = ("django_session", "accounts_loginsession", "marketdata_viewingsession", "accounts_apitoken")


@dataclass(frozen=True)
class Route:
    path: str
    name: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def routes(patterns: Any = None, prefix: str = "") -> Iterator[Route]:
    """All of ours; the admin and the API's catch-all are looked at apart."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        here = f"{prefix}{one.pattern}"
        if isinstance(one, URLResolver):
            if here != "admin/":
                yield from routes(one.url_patterns, here)
        elif isinstance(one, URLPattern) and "^" not in here:
            yield Route(f"/{here}", one.name or here, tuple(one.pattern.converters))


@dataclass
class World:
    """One of everything. `value` gives a path's argument, by its name and the route it stands in."""

    users: dict[str, User] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)

    def url(self, route: Route) -> str:
        found = route.path
        for name in route.arguments:
            start = found.index("<")
            end = found.index(">", start)
            found = f"{found[:start]}{self.value(name, route)}{found[end + 1 :]}"
        return found

    def value(self, name: str, route: Route) -> Any:
        if name == "pk":
            for part in ("strategies", "runs", "accounts", "funds", "webhooks", "orders", "positions", "books", "alerts"):
                if f"/{part}/" in route.path:
                    return self.numbers[part]
            return 1
        return self.numbers.get(name, 1)


def build() -> World:
    world = World()
    for role in User.Role.values:
        world.users[role] = cast.alice() if role == "OWNER" else cast._user(role.lower(), role)
    account: Account = cast.account()
    cast.account("Backup Bina")
    run = cast.run()
    book = cast.book(account, run)
    position = cast.position(book)
    order = cast.order(book)
    alarms.ring("X", "Something rings.")
    journal.record("x.y", actor="user:alice", why="because", run_id=run.pk, account_id=account.pk)
    strategy = Strategy.objects.create(owner=world.users["OWNER"], name="Condor")
    Version.objects.create(strategy=strategy, number=1, product="NRML")
    token = people.invite(world.users["OWNER"], "VIEWER")
    now = clock.now()
    session = LoginSession.objects.create(user=world.users["OWNER"], session_key="k" * 32, started_at=now, seen_at=now)
    world.numbers = {
        "accounts": account.pk,
        "account_id": account.pk,
        "runs": run.pk,
        "orders": order.pk,
        "books": book.pk,
        "positions": position.pk,
        "strategies": strategy.pk,
        "funds": account.pk,
        "webhooks": 1,
        "alerts": Alarm.objects.get().pk,
        "alarm_id": Alarm.objects.get().pk,
        "token": token,
        "invite_id": Invite.objects.get().pk,
        "session_id": session.pk,
        "user_id": world.users["VIEWER"].pk,
        "kind": "funds",
        "public_id": "none",
        "key": "none",
    }
    return world


def browser(user: User | None, *, checks_csrf: bool = False) -> Client:
    client = Client(enforce_csrf_checks=checks_csrf, raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def written_by(act: Callable[[], HttpResponse]) -> tuple[HttpResponse, list[str]]:
    """The answer, and every statement that wrote to a table other than the access records."""
    found: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        words = sql.split(None, 3)
        if words[0].upper() in ("INSERT", "UPDATE", "DELETE") and not any(table in sql[:120] for table in ACCESS_RECORDS):
            found.append(sql[:160])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        answer = act()
    return answer, found
