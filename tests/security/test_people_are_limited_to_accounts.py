"""Who was given some accounts sees and acts on those, on every route there is; of the others nothing is told.

Everything that belongs to the other account carries its mark in its name; no answer to anybody limited may hold it.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.http import HttpResponse
from django.test import Client

from accounts.models import Account, BrokerRead, User
from accounts.services import people
from accounts.tokens import services as tokens
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied, Refused
from algomirror.ops import alarms, journal, sight
from algomirror.ops.models import Check, Heartbeat, Journal
from marketdata.models import FailoverRecord
from risk.models import AccountLimits, EntryLock, RiskEvent, TradingState
from strategies.models import AccountGroup, GroupMember, Plan, Strategy, StrategyAccount, Version
from strategies.services import start, ticket
from strategies.webhooks.models import Webhook
from tests import cast
from tests.security import walk
from tests.security.test_matrix import TABLE, asked
from trading.models import Book, ExitGoal, Order, Run

pytestmark = pytest.mark.django_db
MARK = "Zeppelin"


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "django")


class Others:
    """The same things again, all of an account that the limited person does not have."""

    def __init__(self, owner: User) -> None:
        now = clock.now()
        self.account = cast.account(MARK)
        self.run = cast.run(f"{MARK} run")
        self.book = cast.book(self.account, self.run)
        self.order = cast.order(self.book, symbol=f"{MARK}SYM")
        self.position = cast.position(self.book, symbol=f"{MARK}SYM")
        cast.position(cast.book(self.account), symbol=f"{MARK}SYM")
        cast.outside_order(self.account, symbol=f"{MARK}SYM")
        for kind in BrokerRead.Kind.values:
            cast.read(self.account, kind, [cast.shown(f"{MARK}SYM", 65)] if kind == "POSITIONS" else [], error=f"{MARK} failed")
        self.strategy = Strategy.objects.create(owner=owner, name=f"{MARK} condor")
        version = Version.objects.create(strategy=self.strategy, number=1, product="NRML")
        StrategyAccount.objects.create(version=version, account=self.account)
        self.group = AccountGroup.objects.create(name=f"{MARK} group")
        GroupMember.objects.create(group=self.group, account=self.account)
        self.hook = Webhook.objects.create(
            owner=owner,
            strategy=self.strategy,
            name=f"{MARK} hook",
            public_id="z" * 16,
            sealed_secret=b"x",
            acts=["EXIT"],
            created_at=now,
        )
        TradingState.objects.create(account=self.account, state="REDUCING", since=now, by="user:alice", why=f"{MARK} rests")
        AccountLimits.objects.create(account=self.account, max_lots=7, changed_at=now, changed_by=f"{MARK} typist")
        self.lock = EntryLock.objects.create(
            account=self.account,
            kind="DAILY_LOSS",
            scope_key="a9",
            trading_day=now.date(),
            since=now,
            until=now,
            why=f"{MARK} lost",
        )
        RiskEvent.objects.create(at=now, run=self.run, kind="MAX_LOSS", action="EXIT", seen_by="sweep", numbers={"why": MARK})
        alarms.ring("X", f"{MARK} rings.", account_id=self.account.pk)
        alarms.ring("Y", f"{MARK} runs.", run_id=self.run.pk)
        self.alarm = alarms.Alarm.objects.filter(account_id=self.account.pk).get()
        journal.record("x.y", actor="user:alice", why=f"{MARK} because", account_id=self.account.pk)
        journal.record("x.y", actor="user:alice", why=f"{MARK} run", run_id=self.run.pk)
        journal.record("x.y", actor="user:alice", why=f"{MARK} policy", subject="platform")
        FailoverRecord.objects.create(owner=owner, at=now, to_account=self.account, reason=f"{MARK} took over", by="engine:feed")
        Check.objects.create(name=f"{MARK} gateway", account_id=self.account.pk, state="RED", since=now, checked_at=now)
        detail = {"source": MARK, "account_id": self.account.pk, "state": "LIVE", "index_age_s": 0.5}
        Heartbeat.objects.update_or_create(name="feed", defaults={"holder": "h:1", "at": now, "detail": detail})

    def numbers(self) -> dict[str, Any]:
        account = self.account.pk
        return {
            "accounts": account, "account_id": account, "scope": account, "funds": account,
            "webhooks": self.hook.pk, "runs": self.run.pk, "orders": self.order.pk,
            "positions": self.position.pk, "strategies": self.strategy.pk, "alerts": self.alarm.pk, "alarm_id": self.alarm.pk,
        }  # fmt: skip


@pytest.fixture
def world() -> walk.World:
    return walk.build()


@pytest.fixture
def others(world: walk.World) -> Others:
    return Others(world.users["OWNER"])


@pytest.fixture
def limited(world: walk.World, others: Others) -> User:
    """A trader who was given every account but the marked one."""
    user, owner = world.users["TRADER"], world.users["OWNER"]
    people.assign(owner, user.pk, list(Account.objects.exclude(name=MARK).values_list("pk", flat=True)))
    return User.objects.get(pk=user.pk)


def _told(answer: HttpResponse) -> str:
    raw = b"".join(answer) if getattr(answer, "streaming", False) else answer.content
    return raw.decode(errors="replace") + answer.headers.get("Location", "")


def _answers(client: Client, world: walk.World, methods: tuple[str, ...]) -> Iterator[tuple[walk.Route, str, HttpResponse]]:
    for route in walk.routes():
        for method in set(TABLE[route.name]) & set(methods):
            yield route, method, asked(client, method, world.url(route))


def test_no_route_of_the_api_tells_a_lent_token_of_another_account(world: walk.World, others: Others) -> None:
    """A token of the owner, lent for every account but the marked one."""
    lent = list(Account.objects.exclude(name=MARK).values_list("pk", flat=True))
    made = tokens.issue(world.users["OWNER"], name="lent", scopes=["read", "trade", "exit", "admin"], account_ids=lent)
    client = Client(headers={"Authorization": f"Bearer {made.secret}", "Idempotency-Key": "k"}, raise_request_exception=False)
    wrong = [
        f"{method} {route.path}: {answer.status_code}"
        for route, method, answer in _answers(client, world, ("GET", "POST"))
        if route.path.startswith("/api/v1/")
        and ((answer.status_code >= 500 and answer.status_code != 503) or MARK in _told(answer))
    ]
    assert wrong == []
    for path in ("", "/versions"):
        assert client.get(f"/api/v1/strategies/{others.strategy.pk}{path}").status_code == 404


def test_no_route_tells_a_limited_person_of_another_account(world: walk.World, limited: User) -> None:
    client = walk.browser(limited)
    wrong = [
        f"{method} {route.path}: {answer.status_code}"
        for route, method, answer in _answers(client, world, ("GET", "POST"))
        if (answer.status_code >= 500 and answer.status_code != 503) or MARK in _told(answer)
    ]
    assert wrong == []


def test_the_owner_is_told_of_it_so_the_mark_would_show(world: walk.World, others: Others) -> None:
    client = walk.browser(world.users["OWNER"])
    told = {route.name for route, _, answer in _answers(client, world, ("GET",)) if MARK in _told(answer)}
    wanted = {
        "dashboard", "accounts", "orders", "trades", "positions", "runs", "risk", "risk-limits", "risk-events", "strategies",
        "account-groups", "webhooks", "alerts", "activity", "activity-csv", "readiness", "feeds", "funds", "api-accounts",
        "api-orders", "api-positions", "api-runs", "api-strategies", "api-alerts", "api-journal", "api-risk-events",
    }  # fmt: skip
    assert wanted - told == set()


def test_every_object_of_another_account_answers_like_one_that_does_not_exist(
    world: walk.World, others: Others, limited: User
) -> None:
    nothing, theirs = copy.deepcopy(world), copy.deepcopy(world)
    nothing.numbers |= dict.fromkeys(others.numbers(), 10**9)
    theirs.numbers |= others.numbers()
    client = walk.browser(limited)
    client.defaults["HTTP_IDEMPOTENCY_KEY"] = "one-key-of-many"
    wrong, compared = [], 0
    for route in walk.routes():
        if theirs.url(route) == nothing.url(route):
            continue
        for method in TABLE[route.name]:
            body = {"data": {}, "content_type": "application/json"} if "/api/" in route.path and method != "GET" else {}
            got, wanted = (asked(client, method, one.url(route), **body) for one in (theirs, nothing))
            compared += wanted.status_code == 404
            if got.status_code != wanted.status_code or got.status_code < 400 or MARK in _told(got):
                wrong.append(f"{method} {route.path}: {got.status_code}, nothing there: {wanted.status_code}")
    assert wrong == []
    assert compared > 40


def test_the_bodies_of_forms_cannot_name_another_account(others: Others, limited: User) -> None:
    client = walk.browser(limited)
    place = f"{others.account.pk}:NFO:{MARK}SYM:NRML"
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/orders/cancel", {"order": others.order.pk, "idempotency_key": "k1"}),
        ("/positions/close", {"target": f"position:{others.position.pk}", "idempotency_key": "k2"}),
        ("/positions/close", {"target": f"book:{others.book.pk}", "idempotency_key": "k3"}),
        ("/risk/kill", {"scope": f"account:{others.account.pk}", "level": "FLATTEN", "idempotency_key": "k4"}),
        ("/risk/kill", {"scope": f"run:{others.run.pk}", "level": "HALT", "idempotency_key": "k5"}),
        ("/risk/kill", {"scope": "platform", "level": "REDUCE", "idempotency_key": "k6"}),
        ("/risk/limits/platform", {"max_lots": 1}),
        (f"/risk/limits/{others.account.pk}", {"max_lots": 1}),
        ("/margin/requirements", {"underlying": "NIFTY", "kind": "SHORT_SINGLE", "rupees": "5"}),
        ("/ticket/preview", {"exchange": "NFO", "symbol": cast.CALL, "action": "BUY", "lots": 1, "product": "NRML",
                             "price_type": "LIMIT", "price": "1", "accounts": [others.account.pk]}),
        ("/orders/modify", {"order": others.order.pk, "price": "1", "idempotency_key": "k9"}),
        ("/orders/market", {"order": others.order.pk, "idempotency_key": "k10"}),
        ("/orders/cancel-all", {"account": others.account.pk, "idempotency_key": "k11"}),
        ("/reconciliation/leave", {"place": place, "ours": 65, "broker": 0, "why": "mine now", "idempotency_key": "k12"}),
        ("/reconciliation/adopt", {"place": place, "ours": 65, "broker": 0, "price": "1", "idempotency_key": "k13"}),
        ("/reconciliation/thaw", {"book": others.book.pk, "why": "because"}),
        ("/reconciliation/order", {"order": others.order.pk, "broker_order_id": "", "why": "because"}),
        ("/margin/calculator/ask", {"accounts": [others.account.pk]}),
        ("/strategies/groups", {"name": f"{MARK} group", f"factor-{others.account.pk}": "2"}),
        ("/settings/tokens", {"name": "t", "scopes": ["read"], "accounts": [others.account.pk], "days": 5}),
        (f"/webhooks/{others.hook.pk}", {"name": "mine now", "strategy": others.strategy.pk, "acts": ["EXIT"]}),
    ]  # fmt: skip
    before = Journal.objects.latest("pk").pk
    wrong = [(url, status) for url, body in bodies if (status := client.post(url, body).status_code) not in (403, 404, 422)]
    assert wrong == []
    for target in (f"account:{others.account.pk}", f"leg:{others.run.pk}:1"):  # as of an account that holds nothing
        client.post("/positions/close", {"target": target, "idempotency_key": target})
    assert Journal.objects.filter(pk__gt=before, actor=f"user:{limited.username}").exclude(kind__startswith="token").count() == 0
    assert not Book.objects.get(pk=others.book.pk).goals.exists()


def test_syncing_asks_for_the_accounts_of_the_person_only(others: Others, limited: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from algomirror.ops import queue

    asked_for: list[Any] = []
    monkeypatch.setattr(queue, "enqueue", lambda *args, **_: asked_for.append(args))
    walk.browser(limited).post("/orders/sync")
    assert asked_for
    assert others.account.pk not in {args[-1] for args in asked_for}


def test_a_run_that_is_partly_of_another_account_is_not_theirs(others: Others, limited: User) -> None:
    """Its limits and its P&L are of the whole, and so would be its exit; their part is on Positions, and is closed there."""
    mine = Account.objects.exclude(name=MARK).first()
    assert mine is not None
    own = cast.position(cast.book(mine, others.run))
    client = walk.browser(limited)
    assert client.get(f"/runs/{others.run.pk}").status_code == 404
    assert client.post(f"/runs/{others.run.pk}/exit", {"idempotency_key": "a"}).status_code == 404
    assert client.post("/positions/close", {"target": f"book:{own.book_id}", "idempotency_key": "b"}).status_code in (200, 302)
    assert own.book.goals.count() == 1
    assert not others.book.goals.exists()


def _plan(owner: User, kind: str, *accounts: Account) -> Plan:
    lines = [{"account": account.pk} for account in accounts]
    given = {"snapshot": {}, "terms": {}, "digest": "d", "created_at": clock.now(), "expires_at": clock.now()}
    return Plan.objects.create(key=f"{kind}-plan", kind=kind, owner=owner, lines=lines, **given)


def test_a_plan_of_another_account_is_not_sent(world: walk.World, others: Others, limited: User) -> None:
    mine = Account.objects.exclude(name=MARK).first()
    assert mine is not None
    for kind in ("STRATEGY", "TICKET"):
        plan = _plan(world.users["OWNER"], kind, mine, others.account)
        with sight.limited_to(frozenset({mine.pk})), pytest.raises(Denied) as denied:
            if kind == "STRATEGY":
                start.start(plan.key, digest="d", idempotency_key="k", by="user:trader")
            else:
                ticket.send_ticket(plan.key, digest="d", by="user:trader")
        assert denied.value.code == "NOT_PERMITTED"
    answer = walk.browser(limited).get("/api/v1/plans/STRATEGY-plan")
    assert answer.status_code == 404


def test_a_token_sees_no_more_than_its_person(others: Others, limited: User) -> None:
    secret = tokens.issue(limited, name="t", scopes=["read", "exit"]).secret
    client, told = Client(), {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    assert MARK not in client.get("/api/v1/accounts", **told).content.decode()
    assert client.get(f"/api/v1/accounts/{others.account.pk}", **told).status_code == 404
    assert client.get("/api/v1/me", **told).json()["accounts"] == sorted(
        Account.objects.exclude(name=MARK).values_list("pk", flat=True)
    )
    kill = {"scope": "platform", "level": "HALT", "reason": "r"}
    answer = client.post("/api/v1/risk/kill", json.dumps(kill), "application/json", HTTP_IDEMPOTENCY_KEY="k" * 8, **told)
    assert answer.status_code == 403


def test_nothing_of_it_outlives_the_request(others: Others, limited: User) -> None:
    walk.browser(limited).get("/dashboard")
    assert Account.objects.filter(name=MARK).exists()
    assert Run.objects.filter(pk=others.run.pk).exists()


def test_the_owner_assigns_and_the_journal_says_so(world: walk.World, others: Others) -> None:
    owner, viewer = world.users["OWNER"], world.users["VIEWER"]
    client = walk.browser(owner)
    assert client.post(f"/settings/users/{viewer.pk}/accounts", {"accounts": [others.account.pk]}).status_code == 302
    viewer.refresh_from_db()
    assert viewer.is_limited
    row = Journal.objects.filter(kind="user.assigned").latest("pk")
    assert (row.numbers["before"], row.numbers["after"]) == ("all", [others.account.pk])
    assert MARK in client.get("/settings/users").content.decode()
    client.post(f"/settings/users/{viewer.pk}/accounts", {"all": "1"})
    viewer.refresh_from_db()
    assert not viewer.is_limited


def test_an_empty_choice_is_no_choice(world: walk.World, others: Others) -> None:
    viewer = world.users["VIEWER"]
    assert walk.browser(world.users["OWNER"]).post(f"/settings/users/{viewer.pk}/accounts", {}).status_code == 422
    with pytest.raises(Refused):
        people.assign(world.users["OWNER"], viewer.pk, [10**9])
    with pytest.raises(Refused):
        people.assign(world.users["TRADER"], viewer.pk, None)
    viewer.refresh_from_db()
    assert not viewer.is_limited


def test_who_was_limited_stays_limited_when_the_last_account_is_gone(world: walk.World, others: Others) -> None:
    viewer = world.users["VIEWER"]
    people.assign(world.users["OWNER"], viewer.pk, [others.account.pk])
    viewer.assigned.clear()
    assert "Zerodha Anil" not in walk.browser(viewer).get("/accounts").content.decode()


# Rows of an account or a run whose manager leaves nothing out, and why that tells nobody anything.
UNSIGHTED = {
    "ops.Journal": "keys of clicks and the hash chain need all of it; pages filter by sight.of_account_or_run",
    "ops.Check": "a column of the board is an account that may be seen",
    "marketdata.FeedPin": "asked for by the accounts that may be seen",
    "risk.GuardState": "reached through a run",
    "risk.MarginClaim": "counted by the gate",
    "risk.MarginReservation": "counted by the gate",
    "strategies.GroupMember": "decides who sees a group",
    "strategies.Plan": "sight.require stands before sending; its key is a secret of whom it was shown to",
    "strategies.RunNote": "reached through a run",
    "strategies.RunTags": "reached through a run",
    "strategies.ScheduledStart": "reached through a strategy",
    "strategies.Signal": "reached through a webhook",
    "strategies.StrategyAccount": "decides who sees a strategy",
}


def test_every_model_that_belongs_to_an_account_says_who_sees_its_rows() -> None:
    owners = {Account, Run, Book, Order, ExitGoal}
    rooms = ("accounts", "algomirror", "marketdata", "trading", "risk", "strategies")
    found = set()
    for model in (one for one in apps.get_models() if one.__module__.split(".")[0] in rooms):
        fields = model._meta.concrete_fields
        belongs = any(f.related_model in owners for f in fields) or {"account_id", "run_id"} & {f.name for f in fields}
        if belongs and not isinstance(model._default_manager, sight.Sighted):
            found.add(model._meta.label)
    assert found == set(UNSIGHTED)
