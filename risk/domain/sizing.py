"""How much each account takes: whole structures only, never one lot by force. Pure; nothing here asks anybody.

A structure is one set of a strategy's legs in their smallest whole ratio; k is how many of them an account takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Final, Literal

from algomirror.kernel.errors import Refused
from algomirror.kernel.money import ZERO

Allocation = Literal["EQUAL", "RATIO", "PERCENT", "CUSTOM", "AVAILABLE_MARGIN"]
Policy = Literal["LOWER_OF_BOTH", "BROKER", "TABLE"]
Basis = Literal["USABLE", "CASH"]
Table = Mapping[tuple[str, str, bool], Decimal]

BUY_MARKUP: Final = Decimal("1.02")
MAX_LOTS_PER_LEG: Final = 100
MOST_QUESTIONS: Final = 6


@dataclass(frozen=True, slots=True)
class Profile:
    """What a broker's funds mean."""

    collateral_included: bool = True
    available_is_gross: bool = False


@dataclass(frozen=True, slots=True)
class Money:
    """Rupees an account may use; None is unknown, which denies. Never below 0."""

    usable: Decimal | None
    cash: Decimal | None


def money(
    *,
    available: Decimal | None,
    collateral: Decimal | None,
    used: Decimal | None,
    profile: Profile,
    reserved: Decimal = ZERO,
) -> Money:
    """One definition for every page: cash the broker says is free, as its profile reads it, less what plans in flight hold."""
    if available is None or (profile.available_is_gross and used is None):
        return Money(None, None)
    held = reserved + ((used or ZERO) if profile.available_is_gross else ZERO)
    if profile.collateral_included:
        cash = None if collateral is None else max(available - collateral - held, ZERO)
        return Money(max(available - held, ZERO), cash)
    usable = None if collateral is None else max(available + collateral - held, ZERO)
    return Money(usable, max(available - held, ZERO))


def within_ceiling(found: Money, used: Decimal | None, reserved: Decimal, percent: int) -> Money:
    """What may still be spent before `percent` of all the account has is in use; unknown while the used margin is."""
    if found.usable is None or used is None:
        return Money(None, None)
    whole = found.usable + used + reserved
    room = max(whole * percent / 100 - used - reserved, ZERO)
    return Money(min(found.usable, room), None if found.cash is None else min(found.cash, room))


def share_in_use(usable: Decimal | None, used: Decimal | None, reserved: Decimal) -> Decimal | None:
    """Percent of an account's margin that is used or held, of all it has; None when that is unknown or nothing."""
    if usable is None or used is None:
        return None
    whole = usable + used + reserved
    return ((used + reserved) * 100 / whole).quantize(Decimal("0.1")) if whole > 0 else None


@dataclass(frozen=True, slots=True)
class Part:
    """One leg of one structure. `ask` is what buying a unit costs now; None unknown. `is_expiry`: it expires today."""

    underlying: str
    kind: Literal["CE", "PE", "FUT"]
    action: Literal["BUY", "SELL"]
    lots: int
    lot_units: int
    ask: Decimal | None
    is_expiry: bool
    freeze_units: int | None = None

    @property
    def is_long_option(self) -> bool:
        return self.kind != "FUT" and self.action == "BUY"


@dataclass(frozen=True, slots=True)
class Requirement:
    """Rupees that one structure blocks by our own table, and the sum spelled out."""

    rupees: Decimal
    formula: str


def is_option_buying(parts: Sequence[Part]) -> bool:
    return all(part.is_long_option for part in parts)


def requirement(parts: Sequence[Part], table: Table) -> Requirement:
    """No hedge benefit is assumed. Refused when a figure or a price is missing: unknown margin denies."""
    only_buys = is_option_buying(parts)
    terms: list[tuple[str, int, Decimal]] = []
    for underlying, is_expiry in dict.fromkeys((part.underlying, part.is_expiry) for part in parts):
        own = [part for part in parts if (part.underlying, part.is_expiry) == (underlying, is_expiry)]
        terms += _shorts_and_futures(own, underlying, is_expiry, table)
    for part in parts:
        if part.is_long_option:
            terms.append(_bought(part, table, with_floor=only_buys))
    total = sum((count * each for _, count, each in terms), ZERO)
    return Requirement(total, " + ".join(f"{count} × {name} {each:f}" for name, count, each in terms))


def _shorts_and_futures(parts: Sequence[Part], underlying: str, is_expiry: bool, table: Table) -> list[tuple[str, int, Decimal]]:
    def lots(kind: str, action: str) -> int:
        return sum(part.lots for part in parts if part.kind == kind and part.action == action)

    calls, puts = lots("CE", "SELL"), lots("PE", "SELL")
    pairs = min(calls, puts)
    counts = {
        "SHORT_PAIR": pairs,
        "SHORT_SINGLE": calls + puts - 2 * pairs,
        "FUTURE": lots("FUT", "BUY") + lots("FUT", "SELL"),
    }
    return [(name.lower(), count, _figure(table, underlying, name, is_expiry)) for name, count in counts.items() if count]


def _bought(part: Part, table: Table, *, with_floor: bool) -> tuple[str, int, Decimal]:
    if part.ask is None or part.ask <= 0:
        raise Refused(f"the price of buying {part.underlying} {part.kind} is not known")
    each = part.ask * part.lot_units * BUY_MARKUP
    if with_floor:
        each = max(each, _figure(table, part.underlying, "OPTION_BUY", part.is_expiry))
    return f"{part.kind} bought", part.lots, each


def _figure(table: Table, underlying: str, kind: str, is_expiry: bool) -> Decimal:
    found = table.get((underlying, kind, is_expiry))
    if found is None or found <= 0:
        day = "an expiry day" if is_expiry else "a usual day"
        raise Refused(f"no {kind.replace('_', ' ').lower()} figure of {underlying} for {day} in the margin table")
    return found


def budget(parts: Sequence[Part], funds: Money, *, share: Decimal = Decimal(100), basis: Basis = "USABLE") -> Decimal | None:
    """Rupees this structure may take of the account: cash for bought options, usable margin otherwise, times the share.

    A CASH grade bounds a short structure by cash as well. None while unknown.
    """
    base = funds.cash if is_option_buying(parts) or basis == "CASH" else funds.usable
    return None if base is None else base * share / 100


def fitting(limit: Decimal, each: Decimal) -> int:
    """How many structures of `each` rupees fit into `limit`; 0 when none does."""
    if each <= 0:
        raise ValueError("a structure needs margin")
    return int((limit / each).to_integral_value(rounding=ROUND_FLOOR)) if limit > 0 else 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the broker's basket said: how many fit, and rupees for that many. `k` None: it did not answer."""

    k: int | None
    rupees: Decimal | None


def broker_multiplier(start: int, limit: Decimal, ask: Callable[[int], Decimal | None], *, upward: bool) -> Asked:
    """The largest k whose basket margin is within `limit`: tried at `start`, then downward; upward only if told so.

    Every jump is in proportion to the last answer, so that a handful of questions suffices.
    """
    k = max(start, 1) if upward else start
    if k <= 0:
        return Asked(0, ZERO)
    best: Asked | None = None
    for _ in range(MOST_QUESTIONS):
        needed = ask(k)
        if needed is None or needed <= 0:
            return Asked(None, None) if best is None else best
        proportional = int((limit * k / needed).to_integral_value(rounding=ROUND_FLOOR))
        if needed <= limit:
            best = Asked(k, needed)
            if not upward or proportional <= k:
                return best
            k = min(proportional, MAX_LOTS_PER_LEG * 10)
            upward = False
            continue
        if best is not None and best.k is not None and k - 1 <= best.k:
            return best
        k = min(k - 1, proportional)
        if k <= 0:
            return best or Asked(0, ZERO)
    return best or Asked(None, None)


def choose(policy: Policy, k_table: int, broker: Asked | None) -> int | None:
    """The multiplier by policy. `broker` None: its margin is not asked (untrusted), then the table alone counts."""
    if policy == "TABLE" or broker is None:
        return k_table
    if broker.k is None:
        return None
    return broker.k if policy == "BROKER" else min(k_table, broker.k)


def needed_by(policy: Policy, table: Decimal, broker: Decimal | None, *, trusted: bool) -> Decimal | None:
    """Rupees to count for a fixed quantity: the larger figure under LOWER_OF_BOTH. None when trusted and silent."""
    if policy == "TABLE" or not trusted:
        return table
    if broker is None:
        return None
    return broker if policy == "BROKER" else max(table, broker)


@dataclass(frozen=True, slots=True)
class Caps:
    """Hard limits of an account for one plan; None is no cap. `notional` in rupees of premium or future value."""

    lots: int | None = None
    notional: Decimal | None = None
    orders: int | None = None


def capped(parts: Sequence[Part], caps: Caps, prices: Mapping[int, Decimal]) -> tuple[int, str]:
    """The largest k the caps allow, and the name of the cap that decides. `prices` by position of the part."""
    most = min(MAX_LOTS_PER_LEG // part.lots for part in parts)
    why = f"{MAX_LOTS_PER_LEG} lots a leg"
    lots = sum(part.lots for part in parts)
    if caps.lots is not None and caps.lots // lots < most:
        most, why = caps.lots // lots, f"{caps.lots} lots in this account"
    value = sum((prices[n] * part.lots * part.lot_units for n, part in enumerate(parts)), ZERO)
    if caps.notional is not None and value > 0 and fitting(caps.notional, value) < most:
        most, why = fitting(caps.notional, value), f"₹{caps.notional:f} notional in this account"
    if caps.orders is not None:
        while most > 0 and _orders(parts, most) > caps.orders:
            most, why = most - 1, f"{caps.orders} orders in this account"
    return most, why


def _orders(parts: Sequence[Part], k: int) -> int:
    return sum(order_count(k * part.lots * part.lot_units, part.lot_units, part.freeze_units) for part in parts)


def order_count(units: int, lot_units: int, freeze_units: int | None) -> int:
    """Child orders of a quantity: whole-lot slices below the exchange's freeze."""
    if freeze_units is None or freeze_units < lot_units:
        return 1
    largest = freeze_units // lot_units * lot_units
    return -(-units // largest)


def equal(structures: int, factors: Sequence[Decimal]) -> list[int]:
    """Each account its own: the structures times its factor, rounded down."""
    return [int((structures * factor).to_integral_value(rounding=ROUND_FLOOR)) for factor in factors]


def split(total: int, weights: Sequence[Decimal]) -> list[int]:
    """`total` whole structures by weight, largest remainder first, ties in the order given. The sum is exact.

    Refused when nothing has weight.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise Refused("weights and totals are not negative")
    whole = sum((Fraction(weight) for weight in weights), Fraction(0))
    if whole == 0:
        raise Refused("no account has any weight")
    quotas = [total * Fraction(weight) / whole for weight in weights]
    shares = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(weights)), key=lambda at: (shares[at] - quotas[at], at))
    for at in by_remainder[: total - sum(shares)]:
        shares[at] += 1
    return shares


def remainders(total: int, weights: Sequence[Decimal], shares: Sequence[int]) -> list[Decimal]:
    """What each account got more (+) or less (−) than its exact share, in structures, to a hundredth."""
    whole = sum(weights, ZERO)
    return [(share - total * weight / whole).quantize(Decimal("0.01")) for share, weight in zip(shares, weights, strict=True)]


def allocate(mode: Allocation, structures: int, weights: Sequence[Decimal]) -> list[int]:
    """k per account. EQUAL: own factor. The others share structures × accounts by weight; CUSTOM is taken as typed.

    Refused when CUSTOM does not add up, or PERCENT is not 100 in sum.
    """
    if mode == "EQUAL":
        return equal(structures, weights)
    total = structures * len(weights)
    if mode == "CUSTOM":
        if any(weight != weight.to_integral_value() for weight in weights):
            raise Refused("whole numbers only", fields={"factors": "custom allocation takes whole numbers"})
        if sum(weights) != total:
            raise Refused("does not add up", fields={"factors": f"must add up to {total}, not {sum(weights):f}"})
        return [int(weight) for weight in weights]
    if mode == "PERCENT" and sum(weights) != 100:
        raise Refused("does not add up", fields={"factors": f"must add up to 100 percent, not {sum(weights):f}"})
    return split(total, weights)
