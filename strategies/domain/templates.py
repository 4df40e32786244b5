"""Patterns to start from, for any underlying that offers their expiries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from strategies.domain import black76
from strategies.domain.legs import Kind, LegSpec, StrikeMode, with_hedges
from strategies.domain.payoff import Payoff, PayoffLeg, WhatIf, payoff

WEEK, NEXT, MONTH = "CURRENT_WEEK", "NEXT_WEEK", "CURRENT_MONTH"
# A made-up market in which silhouettes are drawn.
SPOT, STEP, VOL = 24_000.0, 50.0, 0.13
YEARS: Final = {WEEK: 5 / 365, NEXT: 12 / 365, MONTH: 26 / 365}


@dataclass(frozen=True, slots=True)
class Template:
    slug: str
    name: str
    text: str
    legs: tuple[LegSpec, ...]


def _leg(
    action: Literal["BUY", "SELL"], kind: Kind, mode: StrikeMode, steps: int = 0, *, lots: int = 1, slot: str = WEEK
) -> LegSpec:
    return LegSpec(0, "NIFTY", kind, slot, action, mode, steps, lots)


def _template(slug: str, name: str, text: str, *legs: LegSpec, links: Mapping[int, tuple[int, ...]] | None = None) -> Template:
    numbered = [replace(leg, number=at) for at, leg in enumerate(legs, start=1)]
    return Template(slug, name, text, tuple(with_hedges(numbered, dict(links or {}))))


BUILT_IN: Final = (
    _template(
        "iron-condor",
        "Iron condor",
        "Short strangle with wings: gains while the index stays between the shorts.",
        _leg("SELL", "CE", "OTM", 4),
        _leg("BUY", "CE", "OTM", 8),
        _leg("SELL", "PE", "OTM", 4),
        _leg("BUY", "PE", "OTM", 8),
    ),
    _template(
        "iron-fly",
        "Iron fly",
        "Short straddle with wings: most at the money, bounded on both sides.",
        _leg("SELL", "CE", "ATM"),
        _leg("BUY", "CE", "OTM", 6),
        _leg("SELL", "PE", "ATM"),
        _leg("BUY", "PE", "OTM", 6),
    ),
    _template(
        "short-straddle",
        "Short straddle",
        "Sells call and put at the money. The loss is not bounded.",
        _leg("SELL", "CE", "ATM"),
        _leg("SELL", "PE", "ATM"),
    ),
    _template(
        "short-strangle",
        "Short strangle",
        "Sells call and put out of the money. The loss is not bounded.",
        _leg("SELL", "CE", "OTM", 4),
        _leg("SELL", "PE", "OTM", 4),
    ),
    _template(
        "long-straddle",
        "Long straddle",
        "Buys call and put at the money: gains on a large move either way.",
        _leg("BUY", "CE", "ATM"),
        _leg("BUY", "PE", "ATM"),
    ),
    _template(
        "long-strangle",
        "Long strangle",
        "Buys call and put out of the money: cheaper, needs a larger move.",
        _leg("BUY", "CE", "OTM", 4),
        _leg("BUY", "PE", "OTM", 4),
    ),
    _template(
        "bull-call-spread",
        "Bull call spread",
        "Pays for a bounded gain when the index rises.",
        _leg("BUY", "CE", "ATM"),
        _leg("SELL", "CE", "OTM", 4),
    ),
    _template(
        "bear-put-spread",
        "Bear put spread",
        "Pays for a bounded gain when the index falls.",
        _leg("BUY", "PE", "ATM"),
        _leg("SELL", "PE", "OTM", 4),
    ),
    _template(
        "bull-put-spread",
        "Bull put spread",
        "Receives premium that is kept while the index does not fall.",
        _leg("SELL", "PE", "OTM", 2),
        _leg("BUY", "PE", "OTM", 6),
    ),
    _template(
        "bear-call-spread",
        "Bear call spread",
        "Receives premium that is kept while the index does not rise.",
        _leg("SELL", "CE", "OTM", 2),
        _leg("BUY", "CE", "OTM", 6),
    ),
    _template(
        "butterfly",
        "Butterfly",
        "One call below, two sold at the money, one above: a small bounded risk that gains most where it started.",
        _leg("BUY", "CE", "ITM", 4),
        _leg("SELL", "CE", "ATM", lots=2),
        _leg("BUY", "CE", "OTM", 4),
    ),
    _template(
        "calendar",
        "Calendar",
        "Sells the near week against the next at the same strike: gains while the index stays.",
        _leg("SELL", "CE", "ATM"),
        _leg("BUY", "CE", "ATM", slot=NEXT),
        links={2: (1,)},
    ),
    _template(
        "ratio",
        "Call ratio",
        "One bought, two sold further out. The loss above is not bounded.",
        _leg("BUY", "CE", "ATM"),
        _leg("SELL", "CE", "OTM", 4, lots=2),
    ),
    _template(
        "jade-lizard",
        "Jade lizard",
        "Short put with a bear call spread: no loss above when the premium exceeds the spread.",
        _leg("SELL", "PE", "OTM", 4),
        _leg("SELL", "CE", "OTM", 2),
        _leg("BUY", "CE", "OTM", 4),
    ),
    _template(
        "future-with-put",
        "Future with protective put",
        "Long future whose fall is bounded by a bought put.",
        _leg("BUY", "FUT", "ATM", slot=MONTH),
        _leg("BUY", "PE", "OTM", 4, slot=MONTH),
    ),
)


def built_in(slug: str) -> Template | None:
    return next((template for template in BUILT_IN if template.slug == slug), None)


def shape_of(legs: tuple[LegSpec, ...] | list[LegSpec]) -> Payoff:
    """The payoff of these legs in the made-up market; strike rules that need prices are drawn at a plausible place."""
    return payoff([_drawn(leg) for leg in legs], SPOT, WhatIf())


def _drawn(leg: LegSpec) -> PayoffLeg:
    years = YEARS.get(leg.slot, YEARS[MONTH])
    units = leg.lots if leg.action == "BUY" else -leg.lots
    if leg.is_future:
        return PayoffLeg("FUT", 0.0, units, SPOT, years, 0.0)
    up = 1 if leg.kind == "CE" else -1
    steps = {"ITM": -leg.strike_offset, "OTM": leg.strike_offset}.get(leg.strike_mode, 0 if leg.strike_mode == "ATM" else 4)
    strike = SPOT + up * steps * STEP
    return PayoffLeg(leg.kind, strike, units, black76.price(leg.kind == "CE", SPOT, strike, years, VOL), years, VOL)
