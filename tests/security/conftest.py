from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.models import User
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from tests.accounts import cast
from tests.cast import FRIDAY


@pytest.fixture
def at_rest() -> Iterator[FrozenClock]:
    with clock.use(FrozenClock(FRIDAY)) as frozen:
        assert isinstance(frozen, FrozenClock)
        yield frozen


@pytest.fixture
def alice(db: None) -> User:
    return cast.alice()


@pytest.fixture
def bob(db: None) -> User:
    return cast.bob()


@pytest.fixture
def tara(db: None) -> User:
    return cast.user("tara", User.Role.TRADER)
