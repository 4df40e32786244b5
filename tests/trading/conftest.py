from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.trading import truth
from tests.trading.desk import Desk, a_desk


@pytest.fixture(params=["sandbox", "live"])
def desk(db: None, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Both kinds of broker: one that fills at once, one that accepts first and fills in pieces."""
    with a_desk(request.param) as found:
        yield found
        assert truth.lies(found) == []


@pytest.fixture
def paper(db: None) -> Iterator[Desk]:
    with a_desk("sandbox") as found:
        yield found
        assert truth.lies(found) == []


@pytest.fixture
def live(db: None) -> Iterator[Desk]:
    with a_desk("live") as found:
        yield found
        assert truth.lies(found) == []
