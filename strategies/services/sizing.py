"""How much every account of a plan takes: its funds, our table and the broker's basket, asked all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from accounts.gateway.directory import gateway_for
from accounts.gateway.limits import RESERVE_FOR_EXITS
from accounts.gateway.port import Gateway
from accounts.gateway.reports import Failed, MarginPosition
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.kernel.money import ZERO
from risk.domain.pretrade import Code, Denial
from risk.domain.sentences import rupees
from risk.domain.sizing import (
    Caps,
    Part,
    allocate,
    broker_multiplier,
    budget,
    capped,
    choose,
    fitting,
    is_option_buying,
    needed_by,
    remainders,
    requirement,
)
from risk.models import TradeGrade
from risk.services import funds, margins
from risk.services.funds import Purse
from strategies.domain.drafts import SizingTerms
from strategies.domain.resolve import Line, scaled
from strategies.domain.sizes import Size
from strategies.services import costs
from strategies.services.caps import caps_of

AT_ONCE = 50
ALL = Decimal(100)
SILENT = (
    "the broker did not say what the basket needs; where its server cannot, switch “ask basket margin” off under Funds, "
    "then our table alone counts."
)


@dataclass(frozen=True, slots=True)
class Structure:
    """One set of lines in their smallest whole ratio, and what our table says it blocks (`why` when it cannot say)."""

    lines: tuple[Line, ...]
    parts: tuple[Part, ...]
    table: Decimal | None
    formula: str
    why: str
    product: Literal["NRML", "MIS"]

    @property
    def buys_only(self) -> bool:
        return is_option_buying(self.parts)

    @property
    def prices(self) -> dict[int, Decimal]:
        """What a unit counts towards notional limits: its strike; a future its price."""
        return {at: line.contract.strike or line.decision_price for at, line in enumerate(self.lines)}

    def basket(self, k: int) -> list[MarginPosition]:
        return [
            MarginPosition(
                line.contract.exchange, line.contract.symbol, line.action, self.product, k * scaled_units(line), line.price
            )
            for line in self.lines
        ]


def scaled_units(line: Line) -> int:
    return line.lots * line.contract.lot_units


def structure_of(lines: Sequence[Line], underlyings: Mapping[int, str], structures: int, product: str) -> Structure:
    """`lines` as resolved for `structures` sets; `underlyings` by leg number."""
    today = clock.today()
    one = tuple(scaled(line, line.lots // structures) for line in lines)
    parts = tuple(
        Part(
            underlying=underlyings[line.leg],
            kind=line.contract.kind,
            action=line.action,
            lots=line.lots,
            lot_units=line.contract.lot_units,
            ask=line.decision_price if line.ask is None else line.ask,
            is_expiry=line.contract.expiry == today,
            freeze_units=line.contract.freeze_units,
        )
        for line in one
    )
    table: Decimal | None = None
    formula, why = "", ""
    try:
        found = requirement(parts, margins.table())
        table, formula = found.rupees, found.formula
    except Refused as refused:
        why = refused.message
    return Structure(one, parts, table, formula, why, "MIS" if product == "MIS" else "NRML")


def size(
    structure: Structure,
    accounts: Sequence[Account],
    *,
    structures: int,
    terms: SizingTerms,
    factors: Mapping[int, Decimal],
) -> list[Size]:
    """One answer per account, in order. Asks funds and baskets over the network: not in a transaction."""
    purses = funds.spendable(accounts, ask=True)
    caps = caps_of(accounts)
    wanted = _wanted(structure, accounts, purses, structures, terms, factors)
    asked = [account for account in accounts if account.margin_trusted and terms.policy != "TABLE"]
    doors = {account.pk: gateway_for(account) for account in asked}
    share = _share(terms)

    def one(account: Account) -> Size:
        job = _Job(structure, account, purses[account.pk], terms, caps.get(account.pk, Caps()))
        ask = _asker(structure, doors[account.pk]) if account.pk in doors else None
        if share is not None:
            factor = factors.get(account.pk, Decimal(1))
            return job.by_grade(share[0], share[1], factor, ask)
        k, remainder, why = wanted[account.pk]
        return replace(job.fixed(k, why, ask), remainder=remainder)

    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="baskets") as pool:
        sizes = list(pool.map(one, accounts))
    return costs.with_charges(sizes, structure.lines, accounts)


def _share(terms: SizingTerms) -> tuple[Decimal, Literal["USABLE", "CASH"]] | None:
    if terms.mode != "GRADE":
        return None
    grade = TradeGrade.objects.filter(name=terms.grade).first()
    if grade is None:
        raise Refused("The grade does not exist.", fields={"grade": "there is no such grade"})
    return grade.share, "CASH" if grade.basis == "CASH" else "USABLE"


def _wanted(
    structure: Structure,
    accounts: Sequence[Account],
    purses: Mapping[int, Purse],
    structures: int,
    terms: SizingTerms,
    factors: Mapping[int, Decimal],
) -> dict[int, tuple[int, Decimal | None, str]]:
    """Structures wished per account with the remainder of the allocation, before anyone asks whether they fit."""
    if terms.mode == "GRADE":
        return {}
    known = list(accounts)
    weights = [factors.get(account.pk, Decimal(1)) for account in accounts]
    out: dict[int, tuple[int, Decimal | None, str]] = {}
    if terms.allocation == "AVAILABLE_MARGIN":
        free = {account.pk: budget(structure.parts, purses[account.pk].money) for account in accounts}
        out = {pk: (0, None, purses[pk].why or "its free margin is not known") for pk, value in free.items() if value is None}
        known = [account for account in accounts if account.pk not in out]
        weights = [free[account.pk] or ZERO for account in known]
    if not known or not any(weights):
        return {account.pk: (0, None, "no account has any weight") for account in accounts} | out
    shares = allocate(terms.allocation, structures, weights)
    left: list[Decimal] | list[None] = [None] * len(known)
    if terms.allocation in ("RATIO", "PERCENT", "AVAILABLE_MARGIN"):
        left = remainders(structures * len(known), weights, shares)
    return out | {account.pk: (k, rest, "") for account, k, rest in zip(known, shares, left, strict=True)}


def _asker(structure: Structure, door: Gateway) -> Callable[[int], Decimal | None]:
    def ask(k: int) -> Decimal | None:
        answer = door.basket_margin(structure.basket(k))
        if isinstance(answer, Failed) or answer.value.total <= 0:
            return None
        return answer.value.total

    return ask


@dataclass(frozen=True, slots=True)
class _Job:
    """Sizing of one account; the only network is `ask`."""

    structure: Structure
    account: Account
    purse: Purse
    terms: SizingTerms
    caps: Caps

    def _answer(
        self,
        k: int,
        needed: Decimal | None,
        broker: Decimal | None,
        free: Decimal | None,
        *,
        note: str = "",
        code: str = "",
        why: str = "",
    ) -> Size:
        table = self.structure.table
        return Size(
            account_id=self.account.pk,
            account_name=self.account.name,
            structures=k,
            needed=needed,
            table=None if table is None else table * max(k, 1),
            broker=broker,
            free=free,
            reserved=self.purse.reserved,
            basis="CASH" if self.structure.buys_only else "USABLE",
            formula=self.structure.formula,
            rate=max(self.account.orders_per_second - RESERVE_FOR_EXITS, 1),
            note=note,
            code=code,
            why=why,
        )

    def _no(self, code: Code, why: str, free: Decimal | None = None, broker: Decimal | None = None) -> Size:
        if code is Code.MARGIN_SHORT and self.purse.ceiling is not None:
            code, why = Code.UTILISATION, f"{why} At most {self.purse.ceiling} % of its margin may be in use."
        needed = self.structure.table if broker is None else broker
        return self._answer(0, needed, broker, free, code=code.value, why=f"{self.account.name}: {why}")

    def by_grade(
        self, share: Decimal, basis: Literal["USABLE", "CASH"], factor: Decimal, ask: Callable[[int], Decimal | None] | None
    ) -> Size:
        """The largest k within the grade's share of the account's money."""
        table, whole = self.structure.table, budget(self.structure.parts, self.purse.money, basis=basis)
        if table is None or whole is None:
            return self._no(Code.MARGIN_UNKNOWN, self.structure.why or self.purse.why or "its cash is not known.")
        limit = min(whole * share / ALL * factor, whole)
        k_table = fitting(limit, table)
        asked = None if ask is None else broker_multiplier(k_table, limit, ask, upward=self.terms.policy == "BROKER")
        k = choose(self.terms.policy, k_table, asked)
        if k is None:
            return self._no(Code.MARGIN_UNKNOWN, SILENT, whole)
        most, why = capped(self.structure.parts, self.caps, self.structure.prices)
        note = f"capped by {why}" if k > most else ""
        k = min(k, most)
        if k == 0:
            return self._no(*_zero(most, why, f"{rupees(limit)} do not carry one structure of {rupees(table)}."), whole)
        broker = asked.rupees if asked is not None and asked.k == k else ask(k) if ask is not None else None
        needed = needed_by(self.terms.policy, table * k, broker, trusted=ask is not None)
        return self._answer(k, needed if needed is not None else table * k, broker, whole, note=note)

    def fixed(self, k: int, why: str, ask: Callable[[int], Decimal | None] | None) -> Size:
        """k as wished, if the account carries it; otherwise skipped, or reduced where the trader chose that."""
        if k == 0:
            if why:
                return self._no(Code.MARGIN_UNKNOWN, why)
            return self._no(Code.QUANTITY_NOT_LOT_MULTIPLE, "its share is less than one whole structure.")
        table, free = self.structure.table, budget(self.structure.parts, self.purse.money)
        if table is None or free is None:
            return self._no(Code.MARGIN_UNKNOWN, self.structure.why or self.purse.why or "its cash is not known.")
        most, cap = capped(self.structure.parts, self.caps, self.structure.prices)
        reduces = self.terms.shortfall == "REDUCE"
        if k > most and not reduces:
            return self._no(*_zero(0, cap, ""), free)
        wished, k = k, min(k, most)
        broker = ask(k) if ask is not None and k > 0 else None
        needed = needed_by(self.terms.policy, table * k, broker, trusted=ask is not None)
        if needed is None:
            return self._no(Code.MARGIN_UNKNOWN, SILENT, free)
        if needed > free and reduces:
            k, broker, needed = self._reduced(k, free, ask)
        if k == 0 or needed > free:
            return self._no(*_zero(most, cap, f"needs {rupees(needed)}, {rupees(free)} is free."), free, broker)
        return self._answer(k, needed, broker, free, note=f"reduced from {wished}" if k < wished else "")

    def _reduced(self, k: int, free: Decimal, ask: Callable[[int], Decimal | None] | None) -> tuple[int, Decimal | None, Decimal]:
        table = self.structure.table or ZERO
        start = min(fitting(free, table), k) if self.terms.policy != "BROKER" or ask is None else k
        asked = None if ask is None else broker_multiplier(start, free, ask, upward=False)
        found = choose(self.terms.policy, start, asked) or 0
        broker = None if asked is None else asked.rupees
        needed = needed_by(self.terms.policy, table * max(found, 1), broker or None, trusted=ask is not None and found > 0)
        return found, broker, table * max(found, 1) if needed is None else needed


def _zero(most: int, cap: str, short: str) -> tuple[Code, str]:
    if most > 0:
        return Code.MARGIN_SHORT, short
    code = Code.MAX_NOTIONAL if "notional" in cap else Code.ORDER_RATE if "orders" in cap else Code.MAX_LOTS
    return code, f"the limit of {cap} is reached."


def denials(sizes: Sequence[Size]) -> list[Denial]:
    return [Denial(Code(size.code), size.why, account_id=size.account_id) for size in sizes if size.code]
