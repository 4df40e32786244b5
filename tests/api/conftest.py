from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api import broker
from tests.api.caller import Caller
from tests.strategies import stage


@pytest.fixture(autouse=True)
def _market(db: None) -> Iterator[Any]:
    """Friday 20 November 2026, 10:30 in India, with prices."""
    with broker.there(), stage.at() as frozen:
        stage.market()
        yield frozen


@pytest.fixture
def owner() -> Caller:
    return Caller.of(stage.alice(), scopes=["read", "trade", "exit", "admin"])
