"""Every page asks the database a fixed number of questions, however much there is to show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from algomirror.kernel import clock
from bench.pages import PAGES, furnish
from tests import cast

pytestmark = pytest.mark.django_db

# The header, the session and the person take about ten of them.
MOST = 36


@pytest.fixture(autouse=True)
def now() -> Iterator[clock.FrozenClock]:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        yield frozen


def counted(**size: int) -> dict[str, int]:
    owner = furnish(**size)
    client = Client()
    client.force_login(owner)
    found: dict[str, int] = {}
    for path in PAGES:
        client.get(path)
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).status_code == 200, path
        found[path] = len(asked)
    return found


def test_no_page_asks_more_for_more_rows() -> None:
    with transaction.atomic():
        small = counted(accounts=3, orders=200, positions=16, runs=2)
        transaction.set_rollback(True)
    large = counted(accounts=12, orders=400, positions=64, runs=8)
    assert {path: (small[path], n) for path, n in large.items() if n > small[path]} == {}
    assert {path: n for path, n in large.items() if n > MOST} == {}
