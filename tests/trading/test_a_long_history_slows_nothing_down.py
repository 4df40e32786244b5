"""After a year an account has twenty thousand ended orders. What is asked several times a second must not walk through them.

Told by SQLite's own plan: measured, a look at an account took 27 ms with such a history, and 0.25 ms with the right indexes.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from algomirror.ops.prepared import Prepared, Slot
from trading.services import evidence, flatten, glance, poll

pytestmark = pytest.mark.django_db

# Which index leads to the rows of the big tables; the numbers are how many values a question takes.
ASKED: dict[str, tuple[Prepared[Any], str]] = {
    "glance: unfinished": (glance._unfinished, "orders_by_account_state"),
    "glance: followed": (glance._followed, "orders_"),
    "glance: ended lately": (glance._ended_lately, "orders_by_account_end"),
    "poll: today": (poll._today, "orders_by_account_day"),
    "poll: of other days": (poll._of_other_days, "orders_by_account_state"),
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
    sql, parameters, _ = asked._for(connection.vendor)
    values = ["1" if isinstance(p, Slot) else p for p in parameters]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        plan = [str(row[3]) for row in cursor.fetchall()]
    big = [step for step in plan if "trading_order" in step or "trading_fill" in step]
    assert big and all(step.startswith("SEARCH") for step in big), plan
    assert all(index in step for step in big), plan
