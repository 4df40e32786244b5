"""Two runs racing for the margin of one account: on every database at most what is there is promised."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, connections

from algomirror.kernel.errors import Denied
from risk.models import MarginReservation
from strategies.services import preview, start
from tests.strategies import stage
from trading.models import Run


@pytest.mark.django_db(transaction=True)
def test_racing_starts_of_two_strategies_do_not_overdraw():
    with stage.at():
        stage.market()
        account = stage.account(1)
        stage.funds_read(account, 400_000)
        plans = []
        for n, kind in enumerate(("CE", "PE")):
            version = stage.saved([account], name=f"Short {kind}", legs=[stage.leg(1, "SELL", "OTM", kind, 2 + n)])
            plans.append(preview.preview(version, [account], user=stage.alice()))

        def go(plan):
            try:
                return start.start(plan.key, digest=plan.digest, idempotency_key=plan.key, by="user:alice").pk
            except Denied as denied:
                return denied.code
            finally:
                if connection.vendor != "sqlite":
                    connections.close_all()

        with ThreadPoolExecutor(max_workers=2) as pool:
            answers = list(pool.map(go, plans))
    assert Run.objects.count() == 1 and "MARGIN_SHORT" in answers
    assert MarginReservation.objects.get().rupees == Decimal(250000)
