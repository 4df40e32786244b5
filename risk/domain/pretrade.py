"""What must be true before an entry may go out. Every fact is known or it denies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final

from algomirror.kernel.money import on_tick
from risk.domain.states import TradingMode
from trading.domain.prices import range_faults

MAX_LOTS_PER_LEG: Final = 100
BOOKS_READ_WITHIN_S: Final = 5.0
CLOCKS_AGREE_WITHIN_S: Final = 5.0
NEEDS_PRICE: Final = frozenset({"LIMIT", "SL"})
NEEDS_TRIGGER: Final = frozenset({"SL", "SL-M"})
# MARKET is missing on purpose: exchanges reject it from machines, and nothing bounds its price.
PRICE_TYPES: Final = frozenset({"LIMIT", "SL", "SL-M"})


class Code(StrEnum):
    """The closed list of denials (those that can occur so far)."""

    SESSION_CLOSED = "SESSION_CLOSED"
    ENTRY_WINDOW_CLOSED = "ENTRY_WINDOW_CLOSED"
    CALENDAR_UNKNOWN = "CALENDAR_UNKNOWN"
    CONDITION_MISMATCH = "CONDITION_MISMATCH"
    KILL_SWITCH = "KILL_SWITCH"
    ACCOUNT_HALTED = "ACCOUNT_HALTED"
    ACCOUNT_REDUCING = "ACCOUNT_REDUCING"
    LINK_DOWN = "LINK_DOWN"
    MODE_MISMATCH = "MODE_MISMATCH"
    BOOKS_NOT_READ = "BOOKS_NOT_READ"
    QUOTE_STALE = "QUOTE_STALE"
    PRICE_REQUIRED = "PRICE_REQUIRED"
    PRICE_OFF_TICK = "PRICE_OFF_TICK"
    PRICE_OUT_OF_RANGE = "PRICE_OUT_OF_RANGE"
    TRIGGER_REQUIRED = "TRIGGER_REQUIRED"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    QUANTITY_NOT_LOT_MULTIPLE = "QUANTITY_NOT_LOT_MULTIPLE"
    TERMS_UNKNOWN = "TERMS_UNKNOWN"
    REFERENCE_DISPUTED = "REFERENCE_DISPUTED"
    INSTRUMENT_UNKNOWN = "INSTRUMENT_UNKNOWN"
    INSTRUMENT_EXPIRED = "INSTRUMENT_EXPIRED"
    SLOT_UNAVAILABLE = "SLOT_UNAVAILABLE"
    LEGS_NOT_DISTINCT = "LEGS_NOT_DISTINCT"
    PREMIUM_NOT_FOUND = "PREMIUM_NOT_FOUND"
    MARGIN_UNKNOWN = "MARGIN_UNKNOWN"
    MARGIN_SHORT = "MARGIN_SHORT"
    MAX_LOTS = "MAX_LOTS"
    MAX_NOTIONAL = "MAX_NOTIONAL"
    UTILISATION = "UTILISATION"
    ORDER_RATE = "ORDER_RATE"
    DAILY_LOSS_LOCK = "DAILY_LOSS_LOCK"
    CLOCK_SKEW = "CLOCK_SKEW"
    RUN_ALREADY_OPEN = "RUN_ALREADY_OPEN"
    UNACKNOWLEDGED_ORDER = "UNACKNOWLEDGED_ORDER"
    PLAN_EXPIRED = "PLAN_EXPIRED"
    PLAN_CHANGED = "PLAN_CHANGED"
    NOT_PERMITTED = "NOT_PERMITTED"


@dataclass(frozen=True, slots=True)
class Denial:
    code: Code
    sentence: str
    account_id: int | None = None
    leg: int | None = None


@dataclass(frozen=True, slots=True)
class RedLine:
    name: str
    sentence: str


NOTHING_RED: Final = RedLine("", "")


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What is known about one account now. None means nobody could say, and denies."""

    account_id: int
    name: str
    is_active: bool | None
    entries_enabled: bool | None
    platform_state: TradingMode | None
    account_state: TradingMode | None
    link: str | None
    mode: str | None
    planned_mode: str | None
    books_read_age_s: float | None
    # Why a limit above the run locks entries; empty when none does.
    locked: str | None = ""
    # A clock that nobody measured yet denies nothing; one that is measured and far off does.
    skew_s: float | None = None
    own_skew_s: float | None = None
    # A red line of the readiness board that blocks.
    unready: RedLine | None = NOTHING_RED


@dataclass(frozen=True, slots=True)
class SessionFacts:
    exchange: str
    is_open: bool | None
    is_covered: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One line of a plan: one account, one leg, all its slices."""

    leg: int
    symbol: str
    is_listed: bool | None
    expiry: date | None
    today: date | None
    units: int | None
    lot_units: int | None
    tick: Decimal | None
    price_type: str | None
    price: Decimal | None
    trigger_price: Decimal | None
    quote_is_fresh: bool | None
    has_unacknowledged: bool | None
    # The price that decides now, around which the exchange's range lies.
    reference: Decimal | None
    exchange: str | None
    product: str | None = "NRML"


def check_session(facts: SessionFacts) -> Iterator[Denial]:
    if facts.is_covered is not True:
        yield Denial(Code.CALENDAR_UNKNOWN, f"Today is not covered by the calendar of {facts.exchange}.")
    elif facts.is_open is not True:
        yield Denial(Code.SESSION_CLOSED, f"{facts.exchange} is closed{': ' + facts.reason if facts.reason else ''}.")


# The denial a red line of the board means; the others of them say NOT_PERMITTED.
_LINES: Final = {
    "gateway": Code.LINK_DOWN,
    "key and broker session": Code.LINK_DOWN,
    "mode": Code.MODE_MISMATCH,
    "funds": Code.MARGIN_UNKNOWN,
    "positions": Code.BOOKS_NOT_READ,
    "clock": Code.CLOCK_SKEW,
    "calls": Code.ORDER_RATE,
    "calendar": Code.CALENDAR_UNKNOWN,
    "prices": Code.QUOTE_STALE,
}


def check_account(facts: AccountFacts, *, with_books: bool = True) -> Iterator[Denial]:
    """`with_books` False for previews: the books are read afresh when the plan is sent."""

    def no(code: Code, sentence: str) -> Denial:
        return Denial(code, sentence, account_id=facts.account_id)

    if facts.is_active is not True:
        yield no(Code.NOT_PERMITTED, f"{facts.name} is archived.")
    if facts.platform_state is not TradingMode.ACTIVE:
        yield no(Code.KILL_SWITCH, f"Entries are stopped for the whole platform ({facts.platform_state or 'unknown'}).")
    if facts.account_state is TradingMode.REDUCING:
        yield no(Code.ACCOUNT_REDUCING, f"{facts.name} only reduces.")
    elif facts.account_state is not TradingMode.ACTIVE:
        yield no(Code.ACCOUNT_HALTED, f"{facts.name} is halted ({facts.account_state or 'state unknown'}).")
    if facts.entries_enabled is not True:
        yield no(Code.ACCOUNT_REDUCING, f"Entries are paused on {facts.name}.")
    if facts.locked is None:
        yield no(Code.DAILY_LOSS_LOCK, f"Whether entries of {facts.name} are locked is not known.")
    elif facts.locked:
        yield no(Code.DAILY_LOSS_LOCK, f"{facts.name}: {facts.locked}.")
    if facts.skew_s is not None and abs(facts.skew_s) > CLOCKS_AGREE_WITHIN_S:
        yield no(Code.CLOCK_SKEW, f"The clock of {facts.name} is {facts.skew_s:+.1f} s off ours.")
    if facts.own_skew_s is not None and abs(facts.own_skew_s) > CLOCKS_AGREE_WITHIN_S:
        yield no(Code.CLOCK_SKEW, f"Our own clock is {facts.own_skew_s:+.1f} s off the servers'.")
    if facts.link != "UP":
        yield no(Code.LINK_DOWN, f"The link to {facts.name} is {facts.link or 'unknown'}, not UP.")
    if facts.unready is None:
        yield no(Code.NOT_PERMITTED, f"Whether {facts.name} is ready is not known.")
    elif facts.unready != NOTHING_RED:
        yield no(_LINES.get(facts.unready.name, Code.NOT_PERMITTED), f"{facts.name}: {facts.unready.sentence}")
    if facts.mode is None or facts.mode != facts.planned_mode:
        yield no(Code.MODE_MISMATCH, f"{facts.name} is {facts.mode or 'of unknown mode'}, the plan says {facts.planned_mode}.")
    if with_books and (facts.books_read_age_s is None or facts.books_read_age_s > BOOKS_READ_WITHIN_S):
        age = "never" if facts.books_read_age_s is None else f"{facts.books_read_age_s:.0f} s ago"
        yield no(Code.BOOKS_NOT_READ, f"The order book of {facts.name} was last read completely {age}.")


def check_line(facts: LineFacts) -> Iterator[Denial]:
    def no(code: Code, sentence: str) -> Denial:
        return Denial(code, f"{facts.symbol}: {sentence}", leg=facts.leg)

    if facts.is_listed is not True:
        yield no(Code.INSTRUMENT_UNKNOWN, "not in the broker's contract list.")
    if facts.product is None:
        yield no(Code.NOT_PERMITTED, "its product is not known.")
    if facts.expiry is None or facts.today is None:
        yield no(Code.TERMS_UNKNOWN, "its expiry is not known.")
    elif facts.expiry < facts.today:
        yield no(Code.INSTRUMENT_EXPIRED, f"expired on {facts.expiry:%d %b %Y}.")
    if facts.quote_is_fresh is not True or facts.reference is None:
        yield no(Code.QUOTE_STALE, "no fresh price.")
    if facts.has_unacknowledged is not False:
        yield no(Code.UNACKNOWLEDGED_ORDER, "an order of this side has not been acknowledged yet.")
    yield from _check_quantity(facts)
    yield from _check_price(facts)


def _check_quantity(facts: LineFacts) -> Iterator[Denial]:
    lot, units = facts.lot_units, facts.units
    if lot is None or lot <= 0:
        yield Denial(Code.TERMS_UNKNOWN, f"{facts.symbol}: its lot is not known.", leg=facts.leg)
        return
    if units is None or units <= 0 or units % lot:
        yield Denial(Code.QUANTITY_NOT_LOT_MULTIPLE, f"{facts.symbol}: {units} units are no whole lots of {lot}.", leg=facts.leg)
    elif units // lot > MAX_LOTS_PER_LEG:
        yield Denial(
            Code.MAX_LOTS, f"{facts.symbol}: {units // lot} lots are over the limit of {MAX_LOTS_PER_LEG} a leg.", leg=facts.leg
        )


def _check_price(facts: LineFacts) -> Iterator[Denial]:
    def no(code: Code, sentence: str) -> Denial:
        return Denial(code, f"{facts.symbol}: {sentence}", leg=facts.leg)

    if facts.price_type not in PRICE_TYPES:
        yield no(Code.UNSUPPORTED_TYPE, f"price type {facts.price_type or 'missing'} is not sent.")
        return
    if facts.tick is None or facts.tick <= 0:
        yield no(Code.TERMS_UNKNOWN, "its tick is not known.")
        return
    if facts.price_type in NEEDS_PRICE:
        if facts.price is None or facts.price <= 0:
            yield no(Code.PRICE_REQUIRED, f"{facts.price_type} needs a price above 0.")
        elif not on_tick(facts.price, facts.tick):
            yield no(Code.PRICE_OFF_TICK, f"price {facts.price} is not on the tick of {facts.tick}.")
    if facts.price_type in NEEDS_TRIGGER:
        if facts.trigger_price is None or facts.trigger_price <= 0:
            yield no(Code.TRIGGER_REQUIRED, f"{facts.price_type} needs a trigger above 0.")
        elif not on_tick(facts.trigger_price, facts.tick):
            yield no(Code.PRICE_OFF_TICK, f"trigger {facts.trigger_price} is not on the tick of {facts.tick}.")
    yield from _check_range(facts, facts.tick)


def _check_range(facts: LineFacts, tick: Decimal) -> Iterator[Denial]:
    if facts.exchange is None:
        yield Denial(Code.TERMS_UNKNOWN, f"{facts.symbol}: its exchange is not known.", leg=facts.leg)
    if facts.exchange is None or facts.reference is None:
        return
    found = range_faults(
        price_type=facts.price_type or "",
        price=facts.price or None,
        trigger=facts.trigger_price or None,
        reference=facts.reference,
        tick=tick,
        exchange=facts.exchange,
        symbol=facts.symbol,
    )
    for field, what in found.items():
        text = f"{facts.symbol}: {'trigger' if field == 'trigger_price' else 'price'} {what}."
        yield Denial(Code.PRICE_OUT_OF_RANGE, text, leg=facts.leg)


def check(session: SessionFacts, account: AccountFacts, lines: list[LineFacts], *, with_books: bool = True) -> list[Denial]:
    """Every reason against sending these lines on this account; empty means permitted."""
    found = [*check_session(session), *check_account(account, with_books=with_books)]
    for line in lines:
        found.extend(check_line(line))
    return [Denial(d.code, d.sentence, account_id=account.account_id, leg=d.leg) for d in found]
