from __future__ import annotations

from collections.abc import Iterator

import pytest

from algomirror.kernel.clock import FrozenClock
from tests.api import broker
from tests.strategies import stage


@pytest.fixture(autouse=True)
def now(db: None) -> Iterator[FrozenClock]:
    """Friday 20 November 2026, 10:30 in India, with prices."""
    with broker.there(), stage.at() as frozen:
        stage.market()
        yield frozen
