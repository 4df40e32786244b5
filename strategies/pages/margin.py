"""Funds of every account as one definition reads them, the margin table, grades, and the calculator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import Account
from algomirror.kernel.errors import Refused
from algomirror.kernel.money import ZERO
from marketdata import selectors
from marketdata.models import Underlying
from risk.domain.sizing import Part, Requirement, fitting, requirement, share_in_use
from risk.models import MarginRequirement, TradeGrade
from risk.services import funds as purses
from risk.services import margins
from strategies.domain.legs import LegSpec
from strategies.models import BasketFigure
from strategies.services import figures
from strategies.services.resolving import resolve


@dataclass(frozen=True, slots=True)
class FundsRow:
    """None is unknown. `share` is what is used or held by plans, in percent of all the account has."""

    account: Account
    usable: Decimal | None
    cash: Decimal | None
    used: Decimal | None
    reserved: Decimal
    m2m: Decimal | None
    share: Decimal | None
    read_at: datetime | None
    why: str


def funds_rows(*, ask: bool = False) -> list[FundsRow]:
    accounts = list(Account.objects.filter(archived_at=None))
    found = purses.purses(accounts, ask=ask)
    return [_funds_row(account, found[account.pk]) for account in accounts]


def funds_page() -> dict[str, Any]:
    rows = funds_rows()
    known = [row.usable for row in rows if row.usable is not None]
    return {"rows": rows, "total": sum(known, ZERO) if known else None, "unknown": len(rows) - len(known)}


def _funds_row(account: Account, purse: purses.Purse) -> FundsRow:
    money, funds = purse.money, purse.funds
    used = None if funds is None else funds.used
    marked = None
    if funds is not None and funds.realised is not None and funds.unrealised is not None:
        marked = funds.realised + funds.unrealised
    return FundsRow(
        account=account,
        usable=money.usable,
        cash=money.cash,
        used=used,
        reserved=purse.reserved,
        m2m=marked,
        share=share_in_use(money.usable, used, purse.reserved),
        read_at=purse.read_at,
        why=purse.why,
    )


@dataclass(frozen=True, slots=True)
class FigureCell:
    """Rupees a lot by our table, and what a broker last said; None is not known."""

    underlying: str
    kind: str
    is_expiry: bool
    rupees: Decimal | None
    broker: BasketFigure | None

    @property
    def difference(self) -> Decimal | None:
        """What the broker wants beyond our table."""
        return None if self.rupees is None or self.broker is None else self.broker.rupees - self.rupees


@dataclass(frozen=True, slots=True)
class FigureRow:
    underlying: str
    kind: str
    label: str
    cells: tuple[FigureCell, FigureCell]


def requirement_rows() -> list[FigureRow]:
    known, told = margins.table(), figures.newest()
    enabled = Underlying.objects.filter(enabled=True).values_list("symbol", flat=True)
    names = dict.fromkeys([*enabled, *(key[0] for key in known)])

    def cell(name: str, kind: str, is_expiry: bool) -> FigureCell:
        key = (name, kind, is_expiry)
        return FigureCell(*key, known.get(key), told.get(key))

    return [
        FigureRow(name, kind.value, kind.label, (cell(name, kind.value, True), cell(name, kind.value, False)))
        for name in names
        for kind in MarginRequirement.Kind
    ]


@dataclass(frozen=True, slots=True)
class Calculation:
    amount: Decimal
    limit: Decimal
    need: Requirement
    structures: int
    lots: int
    units: int

    @property
    def required(self) -> Decimal:
        return self.need.rupees * self.structures

    @property
    def remaining(self) -> Decimal:
        return self.limit - self.required


STRUCTURES = (
    ("SHORT_CALL", "one short call"),
    ("SHORT_PUT", "one short put"),
    ("SHORT_PAIR", "short call and put"),
    ("FUTURE", "one future"),
    ("BUY_CALL", "one bought call at the money"),
    ("BUY_PUT", "one bought put at the money"),
)


def calculate(*, amount: Decimal, underlying: str, what: str, grade: TradeGrade, is_expiry: bool) -> Calculation:
    """How many structures an amount carries. Refused with a field when a figure or a price is missing."""
    action, _, kind = what.partition("_")
    kinds = ["CE", "PE"] if kind == "PAIR" else ["CE" if kind == "CALL" else "PE"] if kind in ("CALL", "PUT") else ["FUT"]
    side = "BUY" if action == "BUY" else "SELL"
    contract_lot, ask = _atm(underlying, "PE" if kind == "PUT" else "FUT" if kinds == ["FUT"] else "CE")
    parts = [Part(underlying, one, side, 1, contract_lot, ask, is_expiry) for one in kinds]  # type: ignore[arg-type]
    try:
        need = requirement(parts, margins.table())
    except Refused as refused:
        raise Refused(refused.message, fields={"what": refused.message}) from refused
    limit = amount * grade.share / 100
    structures = fitting(limit, need.rupees)
    return Calculation(amount, limit, need, structures, structures, structures * contract_lot)


def legs_of(underlying: str, what: str) -> list[LegSpec]:
    """The same structure as contracts at the money, of the nearest expiry it has."""
    action, _, kind = what.partition("_")
    side = "BUY" if action == "BUY" else "SELL"
    if kind in ("CALL", "PUT", "PAIR"):
        kinds = ["CE", "PE"] if kind == "PAIR" else ["CE" if kind == "CALL" else "PE"]
    else:
        kinds = ["FUT"]
    slots = selectors.slots(underlying, kind="FUT" if kinds == ["FUT"] else "OPT")
    slot = next((slot.value for slot in slots if slot.value in ("CURRENT_WEEK", "CURRENT_MONTH")), "CURRENT_MONTH")
    return [
        LegSpec(n, underlying, one, slot, side, "ATM", 0, 1)  # type: ignore[arg-type]
        for n, one in enumerate(kinds, start=1)
    ]


def _atm(underlying: str, kind: str) -> tuple[int, Decimal | None]:
    """Lot and price of the nearest contract at the money, from what is stored."""
    for slot in ("CURRENT_WEEK", "CURRENT_MONTH"):
        leg = LegSpec(1, underlying, kind, slot, "BUY", "ATM", 0, 1)  # type: ignore[arg-type]
        found = resolve([leg], ask=False)
        contract = found.contracts.get(1)
        if contract is not None:
            line = found.lines[0] if found.lines else None
            return contract.lot_units, None if line is None else line.ask or line.decision_price
    raise Refused("The contract is not known.", fields={"underlying": "no price or no listed contract now"})
