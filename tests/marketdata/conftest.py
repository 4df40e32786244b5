from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from tests.marketdata import cast
from tests.marketdata.feed_stand import Servers
from tests.simulator.conftest import start_simulator

__all__ = ["start_simulator"]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Two server processes for all who hurt them one after the other; `ensure` makes them whole again."""
    servers = Servers()
    yield servers
    servers.stop()


@pytest.fixture
def guards() -> Iterator[cast.Guards]:
    """The hooks of the higher rooms, standing still."""
    cast.guards.__init__()  # type: ignore[misc]
    with override_settings(HOOKS={**settings.HOOKS, **cast.HOOKS}):
        yield cast.guards
