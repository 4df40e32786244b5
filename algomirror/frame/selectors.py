"""The header's numbers, in a bounded number of queries and without asking any broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve, reverse

from accounts.models import Account
from algomirror.frame import market
from algomirror.kernel import clock
from algomirror.ops import alarms, canary, sight
from algomirror.ops.models import Heartbeat
from marketdata import quotes as store
from marketdata import selectors as reference
from marketdata.status import FeedStatus, feed_status
from strategies.services import groups
from trading.models import Run
from trading.pages import day

NAV = (
    ("/dashboard", "Dashboard", "dashboard"),
    ("/chain", "Option chain", "chain"),
    ("/charts", "Charts", "analytics"),
    ("/strategies", "Strategies", "strategies"),
    ("/runs", "Runs", "runs"),
    ("/positions", "Positions", "positions"),
    ("/orders", "Orders", "orders"),
    ("/trades", "Trades", "trades"),
    ("/holdings", "Holdings", "holdings"),
    ("/funds", "Funds and margin", "funds"),
    ("/risk", "Risk", "risk"),
    ("/reconciliation", "Reconcile", "reconcile"),
    ("/analytics", "Analytics", "analytics"),
    ("/webhooks", "Webhooks", "key"),
    ("/alerts", "Alerts", "alerts"),
    ("/accounts", "Accounts", "accounts"),
    ("/activity", "Activity", "activity"),
    ("/settings", "Settings", "settings"),
)
INDICES_SHOWN = 4
RUNS_IN_KILL_LIST = 50
METRONOME, SWEEP = "metronome", "risk-sweep"
SLOW_S, DOWN_S = 5.0, 15.0
# Two pumps at work may keep a question waiting for most of this.
STANDS_STILL_S = 30.0


@cache
def is_route(path: str) -> bool:
    """A link to a page that does not exist is no link."""
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def header(request: HttpRequest) -> dict[str, Any]:
    """The `frame` of docs/UI.md: eleven queries at most, and one look at the quote store."""
    now = clock.now()
    accounts = list(Account.objects.filter(archived_at=None).values("id", "name", "mode", "link"))
    runs = list(Run.objects.exclude(state=Run.State.CLOSED).values_list("id", "name", "started_at")[:RUNS_IN_KILL_LIST])
    index_keys = dict(list(reference.index_keys().items())[:INDICES_SHOWN])
    lines = day.lines_of_today()
    quotes = store.get([*index_keys.values(), *day.keys_of(lines)])
    markets = market.markets(now)
    modes = {a["mode"] for a in accounts}
    today = day.of(lines, quotes, now)
    shown, *others = day.modes_of(today, modes)
    return {
        "version": settings.VERSION,
        "nav": nav(request.path),
        "market": markets,
        "indices": market.indices(index_keys, quotes),
        "feed": feed(feed_status(now), is_open=any(one["open"] for one in markets)),
        "links": {"up": sum(a["link"] == Account.Link.UP for a in accounts), "total": len(accounts)},
        "pnl_today": today.made(shown).total,
        # Named where there is another that it leaves out.
        "pnl_mode": shown if others else "",
        # A run of this moment has not been swept yet: the last sweep is of the run before it.
        "engine": engine(now, is_sweeping=any((now - at).total_seconds() > SLOW_S for _, _, at in runs)),
        "world": world(modes),
        "alarms": alarms.ringing().count(),
        "kill_scopes": kill_scopes(request.path, accounts, [(pk, name) for pk, name, _ in runs], groups.named()),
        "status_url": reverse("frame-status"),
        "tray_url": reverse("alerts-tray"),
    }


def nav(path: str) -> list[dict[str, Any]]:
    return [
        {"url": url, "label": label, "icon": icon, "active": path == url or path.startswith(f"{url}/")}
        for url, label, icon in NAV
        if is_route(url)
    ]


def feed(status: FeedStatus, *, is_open: bool) -> dict[str, Any]:
    """With every market closed no index ticks: then the state is that of the connection alone."""
    if not is_open and status.state == "stale":
        return {"state": "live", "source": status.source, "age_s": None, "received_ms": None}
    age = None if status.age_s is None or not is_open else int(status.age_s)
    return {"state": status.state, "source": status.source, "age_s": age, "received_ms": None}


def engine(now: datetime, *, is_sweeping: bool) -> dict[str, Any]:
    """The oldest heartbeat of what must be alive: the metronome, and the sweep while runs are open. Down where orders stand
    still, whatever beats."""
    if _orders_stand_still():
        return {"state": "down", "age_s": None}
    at = dict(Heartbeat.objects.filter(name__in=(METRONOME, SWEEP)).values_list("name", "at"))
    wanted = (METRONOME, SWEEP) if is_sweeping else (METRONOME,)
    if any(name not in at for name in wanted):
        return {"state": "down", "age_s": None}
    age = max((now - at[name]).total_seconds() for name in wanted)
    state = "live" if age <= SLOW_S else "slow" if age <= DOWN_S else "down"
    return {"state": state, "age_s": None if state == "live" else int(age)}


def _orders_stand_still() -> bool:
    """Nothing comes out of the queue that sends orders and drives exits, or nothing can be put on it."""
    try:
        return (canary.silent_s("orders") or 0.0) > STANDS_STILL_S
    except (redis.RedisError, OSError):
        return True


def world(modes: set[str]) -> str:
    """LIVE, PAPER or MIXED; empty while no account exists."""
    return "MIXED" if len(modes) > 1 else next(iter(modes), "")


def kill_scopes(
    path: str,
    accounts: Sequence[Mapping[str, object]],
    runs: Sequence[tuple[int, str]],
    groups: Sequence[tuple[int, str]] = (),
) -> list[dict[str, Any]]:
    """Everything first, then groups, accounts and open runs; on a run's page that run is offered first.

    Who is limited to accounts is not offered everything.
    """
    shown = next((run_id for run_id, _ in runs if path == f"/runs/{run_id}"), None)
    everything = {"value": "platform", "label": "Everything, all accounts"}
    scopes: list[dict[str, Any]] = [] if sight.is_limited() else [everything]
    scopes += [{"value": f"group:{pk}", "label": f"Group {name}"} for pk, name in groups]
    scopes += [{"value": f"account:{a['id']}", "label": a["name"]} for a in accounts]
    scopes += [{"value": f"run:{pk}", "label": f"Run {pk}, {name}", "selected": pk == shown} for pk, name in runs]
    return scopes
