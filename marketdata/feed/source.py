"""How an account's server is reached as a stream."""

from __future__ import annotations

from accounts.crypto import unseal
from accounts.models import Account
from marketdata.feed.client import Endpoint


def endpoint(account: Account) -> Endpoint:
    return Endpoint(account.pk, account.websocket_url, unseal(account.sealed_key))
