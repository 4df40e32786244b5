"""What the orders cluster runs. Ids only; running twice is harmless."""

from __future__ import annotations

from trading.services import expire, poll, wake
from trading.services import holdings as shares
from trading.services import work as accounts_work


def pump() -> None:
    accounts_work.pump()


def work(account_id: int) -> None:
    """A hint (an order update, a button): look at this account now."""
    wake.wake([account_id])


def sync(account_id: int) -> None:
    poll.account(account_id)
    wake.wake([account_id])


def holdings(*account_ids: int) -> None:
    shares.read(account_ids)


def settle_expired() -> None:
    expire.settle()
