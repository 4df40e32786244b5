"""A program outside that knows one webhook's secret."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from accounts.models import User
from algomirror.kernel import clock
from strategies.domain.signals import signature
from strategies.models import Version
from strategies.webhooks import services
from strategies.webhooks.models import Signal
from strategies.webhooks.services import Made, Wanted
from tests.strategies import stage

ALL = ("START", "EXIT", "EXIT_LEG", "REDUCE", "STOP", "KILL")


def made(version: Version, *, owner: User | None = None, **more: Any) -> Made:
    given = {"name": "TradingView", "strategy_id": version.strategy_id, "acts": ALL, "cool_off_s": 0, **more}
    return services.make(owner or stage.alice(), Wanted(**given))


def body(made: Made, action: str, **more: Any) -> dict[str, Any]:
    given = {"action": action, "timestamp": clock.now().isoformat(), "secret": made.secret, **more}
    return {name: value for name, value in given.items() if value is not None}


def post(made: Made, raw: Any, **headers: str) -> Any:
    raw = raw if isinstance(raw, (str, bytes)) else json.dumps(raw)
    return Client().post(f"/hooks/{made.hook.public_id}", raw, content_type="text/plain", headers=headers)


def send(made: Made, action: str, **more: Any) -> Signal:
    """A recognised signal and what became of it in the request."""
    answer = post(made, body(made, action, **more))
    assert answer.status_code == 202, answer.content
    return Signal.objects.get(public_id=answer.json()["signal_id"])


def sign(secret: str, raw: str) -> dict[str, str]:
    return {"X-Signature": signature(secret, raw.encode())}
