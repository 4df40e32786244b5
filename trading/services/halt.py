"""Asking the room above to stop an account: we distrust our own picture of it."""

from __future__ import annotations

from algomirror.ops import alarms, hooks


def account(account_id: int, *, why: str) -> None:
    hooks.call("halt_account", account_id, why=why, by="engine:orders")
    alarms.ring("ACCOUNT_HALTED", why, key=str(account_id), account_id=account_id)
