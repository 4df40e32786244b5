from __future__ import annotations

from collections.abc import Iterator

import pytest

from algomirror.kernel import clock
from tests import cast


@pytest.fixture(autouse=True)
def now(db: None) -> Iterator[clock.FrozenClock]:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        yield frozen
