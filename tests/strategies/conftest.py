from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from algomirror.kernel.clock import FrozenClock
from tests.strategies import stage


@pytest.fixture
def _now(db: None) -> Iterator[FrozenClock]:
    """The market stands at its usual hour."""
    with stage.at() as frozen:
        stage.market()
        yield frozen


@pytest.fixture
def alice(client: Client) -> Client:
    """The owner's browser."""
    client.force_login(stage.alice())
    return client
