"""The frozen content of a plan as JSON, and the digest that proves nothing of it changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

from algomirror.kernel.ids import digest
from algomirror.kernel.money import Action
from strategies.domain.resolve import Line


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """One leg on one account, exactly as it will be sent."""

    account_id: int
    account_name: str
    leg: int
    purpose: str
    exchange: str
    symbol: str
    expiry: date
    strike: Decimal | None
    kind: str
    product: str
    action: Action
    lots: int
    units: int
    lot_units: int
    tick: Decimal
    freeze_units: int | None
    slices: tuple[int, ...]
    price_type: str
    price: Decimal
    trigger_price: Decimal
    protected: bool
    decision_price: Decimal | None
    hedge_legs: tuple[int, ...]

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"


_account_aside = attrgetter(*(f.name for f in fields(PlannedLine) if f.name not in ("account_id", "account_name")))
# Hundreds of lines say the same few figures: each is one object, and what it becomes in the database is worked out once.
_decimal = lru_cache(1_024)(Decimal)


def patterns(lines: Iterable[PlannedLine]) -> list[PlannedLine]:
    """For each line the first that says the same but for the account: what is made of it serves all that share it."""
    first_of: dict[int, list[tuple[Any, PlannedLine]]] = {}
    found = []
    for line in lines:
        said, known = _account_aside(line), first_of.setdefault(line.leg, [])
        first = next((first for other, first in known if other == said), None)
        if first is None:
            known.append((said, first := line))
        found.append(first)
    return found


def planned(line: Line, *, account_id: int, account_name: str, product: str) -> PlannedLine:
    contract = line.contract
    return PlannedLine(
        account_id=account_id,
        account_name=account_name,
        leg=line.leg,
        purpose=line.purpose,
        exchange=contract.exchange,
        symbol=contract.symbol,
        expiry=contract.expiry,
        strike=contract.strike,
        kind=contract.kind,
        product=product,
        action=line.action,
        lots=line.lots,
        units=line.units,
        lot_units=contract.lot_units,
        tick=contract.tick,
        freeze_units=contract.freeze_units,
        slices=line.slices,
        price_type=line.price_type,
        price=line.price,
        trigger_price=line.trigger_price,
        protected=line.protected,
        decision_price=line.decision_price,
        hedge_legs=line.hedge_legs,
    )


def encode(line: PlannedLine) -> dict[str, Any]:
    return {
        "account": line.account_id,
        "account_name": line.account_name,
        "leg": line.leg,
        "purpose": line.purpose,
        "exchange": line.exchange,
        "symbol": line.symbol,
        "expiry": line.expiry.isoformat(),
        "strike": None if line.strike is None else str(line.strike),
        "kind": line.kind,
        "product": line.product,
        "action": line.action,
        "lots": line.lots,
        "units": line.units,
        "lot_units": line.lot_units,
        "tick": str(line.tick),
        "freeze_units": line.freeze_units,
        "slices": list(line.slices),
        "price_type": line.price_type,
        "price": str(line.price),
        "trigger_price": str(line.trigger_price),
        "protected": line.protected,
        "decision_price": None if line.decision_price is None else str(line.decision_price),
        "hedge_legs": list(line.hedge_legs),
    }


def decode(row: Mapping[str, Any]) -> PlannedLine:
    return PlannedLine(
        account_id=row["account"],
        account_name=row["account_name"],
        leg=row["leg"],
        purpose=row["purpose"],
        exchange=row["exchange"],
        symbol=row["symbol"],
        expiry=date.fromisoformat(row["expiry"]),
        strike=None if row["strike"] is None else _decimal(row["strike"]),
        kind=row["kind"],
        product=row["product"],
        action="BUY" if row["action"] == "BUY" else "SELL",
        lots=row["lots"],
        units=row["units"],
        lot_units=row["lot_units"],
        tick=_decimal(row["tick"]),
        freeze_units=row["freeze_units"],
        slices=tuple(row["slices"]),
        price_type=row["price_type"],
        price=_decimal(row["price"]),
        trigger_price=_decimal(row["trigger_price"]),
        protected=row["protected"],
        decision_price=None if row["decision_price"] is None else _decimal(row["decision_price"]),
        hedge_legs=tuple(row["hedge_legs"]),
    )


def digest_of(
    *,
    key: str,
    kind: str,
    version: int | None,
    snapshot: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    skipped: Sequence[Mapping[str, Any]],
    terms: Mapping[str, Any],
) -> str:
    """Over everything that decides what is sent, in one canonical spelling."""
    content = {
        "key": key,
        "kind": kind,
        "version": version,
        "snapshot": snapshot,
        "lines": lines,
        "skipped": skipped,
        "terms": terms,
    }
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True))
