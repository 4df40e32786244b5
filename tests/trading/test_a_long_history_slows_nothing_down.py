"""After a year an account has twenty thousand ended orders. What is asked several times a second must not walk through them.

Told by SQLite's own plan: measured, a look at an account took 27 ms with such a history, and 0.25 ms with the right indexes.
PostgreSQL chooses its plans by what stands in the tables: it gets such a year, and says how many rows it touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops.prepared import Prepared
from tests import cast
from trading.models import Book, ExitGoal, Fill, Order, Run
from trading.services import earlier, evidence, flatten, glance, poll

pytestmark = pytest.mark.django_db

# Which index leads to the rows of the big tables; the numbers are how many values a question takes.
ASKED: dict[str, tuple[Prepared[Any], str]] = {
    "glance: seen": (glance._seen, "orders_"),
    "glance: ended lately": (glance._ended_lately, "orders_by_account_end"),
    "poll: today": (poll._today, "orders_by_account_day"),
    "poll: of other days": (earlier._all, "orders_by_account_state"),
    "poll: any of other days": (earlier._has_any, "orders_by_account_state"),
    "evidence: that follow": (evidence._that_follow, "orders_"),
    "evidence: ended of a goal": (evidence._ended_of, "goal_id"),
    "evidence: unacknowledged elsewhere": (evidence._unacknowledged_elsewhere, "orders_by_account_state"),
    "evidence: when orders ended": (evidence._news_of(2)[0], "orders_by_account_symbol"),
    "evidence: when fills were seen": (evidence._news_of(2)[1], "fills_by_account_symbol"),
    "flatten: may fill": (flatten._may_fill, "book"),
    "flatten: tried": (flatten._tried, "goal_id"),
}


@pytest.mark.skipif("connection.vendor != 'sqlite'")
@pytest.mark.parametrize("name", ASKED)
def test_an_index_leads_to_the_rows(name: str) -> None:
    asked, index = ASKED[name]
    ready = asked._for(connection.vendor)
    values = ready.bound(["1"] * 10, connection)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {ready.sql}", values)
        plan = [str(row[3]) for row in cursor.fetchall()]
    big = [step for step in plan if "trading_order" in step or "trading_fill" in step]
    assert big and all(step.startswith("SEARCH") for step in big), plan
    assert all(index in step for step in big), plan


# --- PostgreSQL --------------------------------------------------------------------------------

ACCOUNTS, DAYS, ORDERS_A_DAY = 3, 250, 80
# A day's rows, those of one book or of one week's symbol: tens or hundreds, as the planner's sample of the tables has it. A
# history that is walked through is an account's 20,000 or more.
FEW = 2_000
_STATE = "CASE WHEN k % 50 = 1 THEN 'REJECTED' WHEN k % 79 = 3 THEN 'LAPSED' WHEN k % 3 = 0 THEN 'CANCELED' ELSE 'FILLED' END"
_WEEKLY = "'NIFTY' || to_char(b.at, 'IYYYIW') || 'W' || (k % 8)"


def _repeat(pattern: Order | Fill, rows: str, **expressions: str) -> None:
    """The pattern once more for each of the `rows`, with these columns as said."""
    columns = [field.column for field in pattern._meta.concrete_fields if not field.primary_key]
    given = [expressions.get(column, f't."{column}"') for column in columns]
    names, table = ", ".join(f'"{column}"' for column in columns), pattern._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {', '.join(given)} FROM {table} t, {rows} WHERE t.id = {pattern.pk}"
        )


def _books_of_a_year(account: Account) -> list[Book]:
    """One of each day, newest first, each closed by a goal."""
    days = [clock.now() - timedelta(days=n) for n in range(DAYS)]
    runs = [
        Run(owner=account.owner, name="a day", mode="PAPER", state="CLOSED", started_at=at, idempotency_key=f"{account.pk}-{at}")
        for at in days
    ]
    runs = Run.objects.bulk_create(runs)
    books = Book.objects.bulk_create(
        Book(kind="RUN", run=run, account=account, mode="PAPER", state="FLAT", opened_at=run.started_at) for run in runs
    )
    ExitGoal.objects.bulk_create(
        ExitGoal(book=b, reason="MANUAL", asked_by="test", requested_at=b.opened_at, state="DONE") for b in books
    )
    return books


def _orders_of_a_year(account: Account, pattern: Order) -> None:
    books = (
        "(SELECT b.id, b.opened_at AS at, g.id AS goal FROM trading_book b JOIN trading_exitgoal g ON g.book_id = b.id"
        f" WHERE b.account_id = {account.pk}) b, generate_series(1, {ORDERS_A_DAY}) k"
    )
    name = "t.id || '-' || b.id || '-' || k"
    at = "b.at + make_interval(secs => k)"
    _repeat(
        pattern,
        books,
        book_id="b.id",
        goal_id="CASE WHEN k % 2 = 0 THEN b.goal END",
        client_order_id=name,
        broker_order_id=name,
        trading_day="b.at::date",
        state=_STATE,
        symbol=_WEEKLY,
        follows_price="k % 12 = 0",
        sent_at=at,
        finished_at=at,
    )
    cast.fill(pattern, price="100")
    fill = Fill.objects.get(order=pattern)
    filled = f"(SELECT * FROM trading_order WHERE account_id = {account.pk} AND state = 'FILLED' AND id <> {pattern.pk}) o"
    same = {name: f"o.{name}" for name in ("book_id", "broker_order_id", "trading_day", "symbol")}
    _repeat(fill, filled, order_id="o.id", first_seen_at="o.finished_at", **same)


@pytest.fixture
def today(db: None) -> Book:
    """Today's book of the first of some accounts, each with a year behind it."""
    found: list[Book] = []
    for n in range(ACCOUNTS):
        account = cast.account(f"account {n}")
        newest = _books_of_a_year(account)[0]
        Book.objects.filter(pk=newest.pk).update(state="OPEN")
        _orders_of_a_year(account, cast.order(newest, state="ACCEPTED", symbol="PATTERN"))
        cast.order(newest, state="ACCEPTED", symbol="NIFTY1")
        cast.order(newest, state="INITIALIZED", symbol="NIFTY2")
        ExitGoal.objects.filter(book=newest).update(state="WORKING")
        found.append(newest)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return found[0]


def _touched(asked: QuerySet[Any, Any]) -> int:
    """Rows of the big tables that the answer passed over or took."""

    def of(step: dict[str, Any]) -> Iterator[int]:
        if step.get("Relation Name", "") in ("trading_order", "trading_fill") or step["Node Type"] == "Bitmap Index Scan":
            rows = sum(step.get(what, 0) for what in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"))
            yield round(rows * step["Actual Loops"])
        for part in step.get("Plans", []):
            yield from of(part)

    (told,) = json.loads(asked.explain(analyze=True, format="json"))
    return sum(of(told["Plan"]))


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_postgresql_touches_few_rows(today: Book) -> None:
    account, goal, now = today.account_id, ExitGoal.objects.get(book=today).pk, clock.now()
    symbols = list(Order.objects.filter(book=today, symbol__contains="W").values_list("symbol", flat=True).distinct()[:2])
    assert Order.objects.count() >= ACCOUNTS * DAYS * ORDERS_A_DAY and len(symbols) == 2
    live = [s.value for s in glance.LIVE_STATES]
    values: dict[str, tuple[Any, ...]] = {
        "glance: seen": (account, now - glance.GIVEN_UP_IN),
        "glance: ended lately": (account, now - glance.DOUBTED_FOR, now - glance.LOST_FOR),
        "poll: today": (account, clock.trading_day()),
        "poll: of other days": (account, clock.trading_day()),
        "poll: any of other days": (account, clock.trading_day()),
        "evidence: that follow": (account, now - evidence.FOLLOWED_FOR),
        "evidence: ended of a goal": (goal,),
        "evidence: unacknowledged elsewhere": (account, today.pk),
        "evidence: when orders ended": (account, *symbols),
        "evidence: when fills were seen": (account, *symbols),
        "flatten: may fill": (today.pk,),
        "flatten: tried": (goal,),
    }
    found = {name: _touched(asked._build(*values[name])) for name, (asked, _) in ASKED.items()}
    found["beat: live of all"] = _touched(Order.objects.filter(state__in=live, account_id__in=[account, account + 1]).order_by())
    found["beat: ended lately"] = _touched(glance.ended_lately(now - glance.DOUBTED_FOR, now - glance.LOST_FOR))
    assert {name: rows for name, rows in found.items() if rows > FEW} == {}
