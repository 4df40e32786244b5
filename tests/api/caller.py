"""A program with a token, as it would ask over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from django.test import Client

from accounts.crypto import seal
from accounts.models import Account, BrokerRead, User
from accounts.tokens import services
from algomirror.kernel import clock
from tests.strategies import stage

_keys = count(1)
BASE = "/api/v1/"


class Caller:
    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.client = Client()

    @classmethod
    def of(cls, user: User, *, scopes: Sequence[str], accounts: Sequence[int] = ()) -> Caller:
        return cls(services.issue(user, name="test", scopes=scopes, account_ids=accounts).secret)

    def get(self, path: str, **params: Any) -> Any:
        return self.client.get(BASE + path, params, headers={"Authorization": f"Bearer {self.secret}"})

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = "") -> Any:
        """An unsafe call; its own key unless one is given, none with key=None."""
        headers = {"Authorization": f"Bearer {self.secret}"}
        if key is not None:
            headers["Idempotency-Key"] = key or f"key-{next(_keys)}"
        return self.client.generic(method, BASE + path, _json(body), content_type="application/json", headers=headers)

    def post(self, path: str, body: Any = None, *, key: str | None = "") -> Any:
        return self.send("POST", path, body, key=key)


def _json(body: Any) -> str:
    import json

    return "" if body is None else json.dumps(body)


def account(n: int = 1, **more: Any) -> Account:
    """An account whose key can be opened and whose funds were read a moment ago."""
    made = stage.account(n, **{"sealed_key": seal(f"key-of-account-{n}"), **more})
    now = clock.now()
    funds = {"available_cash": "10000000.00", "collateral": "0", "used": "0", "realised": "0", "unrealised": "0"}
    kept = {"rows": funds, "sequence": 1, "started_at": now, "finished_at": now, "attempted_at": now}
    BrokerRead.objects.update_or_create(account=made, kind=BrokerRead.Kind.FUNDS, defaults=kept)
    return made
