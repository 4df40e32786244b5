from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.gateway import limits
from accounts.models import User
from simulator.world import World
from tests.accounts import cast, far

IN_USE: dict[int, str] = {}
HALTED: list[tuple[int, str]] = []


def account_in_use(account_id: int) -> str:
    return IN_USE.get(account_id, "")


def halt_account(account_id: int, *, why: str, by: str) -> bool:
    HALTED.append((account_id, why))
    return True


@pytest.fixture(autouse=True)
def rooms_above(settings: Any) -> None:
    """The higher rooms as this one sees them: two names to call."""
    IN_USE.clear()
    HALTED.clear()
    limits.forget()
    settings.HOOKS = settings.HOOKS | {
        "account_in_use": "tests.accounts.conftest.account_in_use",
        "halt_account": "tests.accounts.conftest.halt_account",
    }
    settings.READS_PER_SECOND = 500


@pytest.fixture
def world() -> Iterator[World]:
    made = World(accounts=3, always_open=True, limits=None)
    with far.behind(made):
        yield made


@pytest.fixture
def alice(db: None) -> User:
    return cast.alice()


@pytest.fixture
def bob(db: None) -> User:
    return cast.bob()
