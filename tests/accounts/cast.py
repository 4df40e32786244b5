"""Alice owns, Bob may look, Tara trades."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from accounts.services.account import Wanted
from simulator.world import World

PASSWORD = "Correct-Horse-7"


def user(name: str, role: str) -> User:
    owns = role == User.Role.OWNER
    made = User(username=name, email=f"{name}@example.test", role=role, is_staff=owns, is_superuser=owns)
    made.set_password(PASSWORD)
    made.save()
    return made


def alice() -> User:
    return user("alice", User.Role.OWNER)


def bob() -> User:
    return user("bob", User.Role.VIEWER)


def wanted(world: World, index: int = 1, **changes: Any) -> Wanted:
    """What a correct form for simulated account `index` asks for."""
    base: dict[str, Any] = {
        "name": f"Account {index}",
        "host_url": f"http://127.0.0.1:{5600 + index}",
        "websocket_url": f"ws://127.0.0.1:{5700 + index}",
        "mode": "PAPER",
        "key": world.accounts[index - 1].api_key,
    }
    return Wanted(**base | changes)


def typed(world: World, index: int = 1, **changes: Any) -> dict[str, Any]:
    """The same as form data."""
    base = wanted(world, index)
    return {
        "name": base.name,
        "host_url": base.host_url,
        "websocket_url": base.websocket_url,
        "mode": base.mode,
        "key": base.key,
        "orders_per_second": 10,
        "brokerage_per_order": "20",
    } | changes
