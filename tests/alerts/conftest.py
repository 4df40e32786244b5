from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from tests.alerts import far
from tests.cast import FRIDAY


@pytest.fixture(autouse=True)
def now() -> Iterator[FrozenClock]:
    frozen = FrozenClock(FRIDAY)
    with clock.use(frozen):
        yield frozen


@pytest.fixture
def inbox(settings: Any) -> Iterator[far.Inbox]:
    with far.http() as found:
        settings.TELEGRAM_URL = found.url
        settings.PUBLIC_URL = "https://desk.example.org"
        yield found
