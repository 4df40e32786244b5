"""The holdings page: what lies in each depository, with every figure as its broker reports it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.models import BrokerRead
from algomirror.kernel.money import parse_decimal, parse_quantity
from trading.pages.tags import ReadState, Tag, active_accounts, read_states, tag_of


@dataclass(frozen=True, slots=True)
class HoldingRow:
    tag: Tag
    exchange: str
    symbol: str
    product: str
    units: int
    average: Decimal | None
    last: Decimal | None
    value: Decimal | None
    pnl: Decimal | None
    pnl_percent: Decimal | None
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Rupees as the brokers report them. None when any shown account does not say it: a part would read as the whole."""

    value: Decimal | None
    invested: Decimal | None
    pnl: Decimal | None


@dataclass(frozen=True, slots=True)
class HoldingsPage:
    rows: list[HoldingRow]
    totals: Totals
    reads: list[ReadState]
    failed: list[ReadState]

    @property
    def unread(self) -> int:
        return sum(read.as_of is None for read in self.reads)


def holdings_page(account_id: int | None = None) -> HoldingsPage:
    """Three queries, whatever the number of accounts."""
    accounts = [a for a in active_accounts() if account_id is None or a.pk == account_id]
    reads = read_states(accounts, BrokerRead.Kind.HOLDINGS)
    kept = {
        row.account_id: row.rows
        for row in BrokerRead.objects.filter(account__in=accounts, kind=BrokerRead.Kind.HOLDINGS, started_at__isnull=False)
        if isinstance(row.rows, dict)
    }
    failed = [read for read in reads if read.error]
    stale = {read.tag.account_id for read in failed}
    rows = [
        _row(tag_of(account), raw, is_stale=account.pk in stale)
        for account in accounts
        for raw in kept.get(account.pk, {}).get("rows", [])
    ]
    return HoldingsPage(rows, _totals(list(kept.values())), reads, failed)


def _row(tag: Tag, raw: dict[str, Any], *, is_stale: bool) -> HoldingRow:
    return HoldingRow(
        tag=tag,
        exchange=str(raw["exchange"]),
        symbol=str(raw["symbol"]),
        product=str(raw["product"]),
        units=parse_quantity(raw["units"]) or 0,
        average=parse_decimal(raw.get("average_price")),
        last=parse_decimal(raw.get("last_price")),
        value=parse_decimal(raw.get("value")),
        pnl=parse_decimal(raw.get("pnl")),
        pnl_percent=parse_decimal(raw.get("pnl_percent")),
        is_stale=is_stale,
    )


def _totals(kept: list[dict[str, Any]]) -> Totals:
    def total(name: str) -> Decimal | None:
        said = [parse_decimal(one.get(name)) for one in kept]
        known = [one for one in said if one is not None]
        return sum(known, Decimal(0)) if known and len(known) == len(said) else None

    return Totals(total("value"), total("invested"), total("pnl"))
