"""Prices asked for, when the stream does not bring them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import Failed, Read, RestQuote
from accounts.models import Account
from marketdata import calendar, quotes
from marketdata.domain.quotes import Quote, Source

log = logging.getLogger(__name__)

BATCH = 100
TRIED_ACCOUNTS = 2


def feed_accounts() -> list[Account]:
    """Accounts that may supply market data: the primary first, then its backups, those known to be down last."""
    active = list(Account.objects.filter(archived_at=None).order_by("-is_primary", "backup_rank", "id"))
    return sorted(active, key=lambda account: account.link in (Account.Link.DOWN, Account.Link.REFUSED))


def refresh(
    keys: Iterable[str],
    accounts: Sequence[Account] | None = None,
    *,
    on_failed: Callable[[int], None] = lambda _: None,
    on_answer: Callable[[Account, Mapping[str, Quote]], None] = lambda *_: None,
) -> dict[str, Quote]:
    """Ask one healthy account for these prices and store them; what it could not say is absent.

    A quote is dated from when we asked, so that it never displaces a tick that arrived meanwhile. `on_failed` hears the
    id of each account that did not answer, `on_answer` what another one said. Not in a transaction.
    """
    wanted = [pair for pair in (split(key) for key in dict.fromkeys(keys)) if pair]
    found: dict[str, Quote] = {}
    sources = list(accounts if accounts is not None else feed_accounts())[:TRIED_ACCOUNTS]
    for batch in (wanted[start : start + BATCH] for start in range(0, len(wanted), BATCH)):
        for account in sources:
            answer = gateway_for(account).quotes(batch)
            if isinstance(answer, Failed):
                log.info("rest quotes failed account=%s why=%s", account.pk, answer.why)
                on_failed(account.pk)
                continue
            said = _said(answer)
            on_answer(account, said)
            found |= said
            break
    quotes.put(found.values())
    return found


def split(key: str) -> tuple[str, str] | None:
    exchange, colon, symbol = key.partition(":")
    return (exchange, symbol) if colon and exchange and symbol else None


def _said(answer: Read[list[RestQuote]]) -> dict[str, Quote]:
    """By key. Before a day's opening servers still say the close before the last session, so none is taken from them."""
    at, exchanges = answer.started_at, {row.exchange for row in answer.value}
    names_close = {exchange: calendar.market_state(exchange, at).reason != "BEFORE_OPEN" for exchange in exchanges}
    return {quote.key: quote for quote in (_quote(row, answer, names_close) for row in answer.value) if quote}


def _quote(row: RestQuote, answer: Read[list[RestQuote]], names_close: Mapping[str, bool]) -> Quote | None:
    if not quotes.is_price(row.last_price):
        return None
    return Quote(
        key=f"{row.exchange}:{row.symbol}",
        last_price=row.last_price,
        received_at=answer.started_at,
        source=Source.REST,
        bid=row.bid if quotes.is_price(row.bid) else None,
        ask=row.ask if quotes.is_price(row.ask) else None,
        open_interest=row.open_interest,
        volume=row.volume,
        prev_close=row.prev_close if names_close[row.exchange] and quotes.is_price(row.prev_close) else None,
    )
