"""Which client speaks for which account. One pooled client per account and process; a change of host or key replaces it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from accounts.crypto import seal
from accounts.gateway.port import Gateway
from accounts.models import Account

_clients: dict[int, tuple[int, Gateway]] = {}
_lock = Lock()


def _open(account: Account) -> Gateway:
    from accounts.gateway.openalgo import OpenAlgoGateway

    return OpenAlgoGateway.of(account)


_factory: Callable[[Account], Gateway] = _open


def gateway_for(account: Account) -> Gateway:
    """The live client of this account row; `account` must be freshly read."""
    with _lock:
        known = _clients.get(account.pk)
        if known and known[0] == account.config_version:
            return known[1]
        client = _factory(account)
        _clients[account.pk] = (account.config_version, client)
        return client


def probe(host_url: str, websocket_url: str, key: str) -> Gateway:
    """A client for an address that is no account yet, for testing it. Not kept."""
    return _factory(Account(name="probe", host_url=host_url, websocket_url=websocket_url, sealed_key=seal(key)))


# A forked worker must not share its parent's sockets.
os.register_at_fork(after_in_child=_clients.clear)


@contextmanager
def far_side(factory: Callable[[Account], Gateway]) -> Iterator[None]:
    """Put other clients behind the door; for tests."""
    global _factory
    before, _factory = _factory, factory
    _clients.clear()
    try:
        yield
    finally:
        _factory = before
        _clients.clear()
