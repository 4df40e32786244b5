from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from tests.accounts import cast
from tests.cast import FRIDAY


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    """Argon2 costs what it should; these tests make many users."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


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
