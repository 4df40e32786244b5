"""At, in and out of the money, on strikes that are listed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from algomirror.kernel.errors import Refused
from algomirror.kernel.money import round_half_up
from marketdata.domain.symbols import OptionKind

Moneyness = Literal["ATM", "ITM", "OTM"]

MAX_OFFSET = 20
# A list whose nearest strike is farther than this from spot is not this market's list.
MAX_GAP_STEPS = 2


def atm(spot: Decimal, strikes: Iterable[Decimal], step: Decimal) -> Decimal:
    """Spot rounded half up to the step; where that strike is not listed, the listed one nearest to spot, the higher on a tie.

    Refused when nothing is listed within two steps of spot.
    """
    if spot <= 0 or step <= 0:
        raise Refused(f"no at-the-money strike for spot {spot} and step {step}")
    listed = set(strikes)
    exact = round_half_up(spot, step)
    if exact in listed:
        return exact
    nearest = min(listed, key=lambda strike: (abs(strike - spot), -strike), default=None)
    if nearest is None or abs(nearest - spot) > MAX_GAP_STEPS * step:
        raise Refused(f"no listed strike near spot {spot}")
    return nearest


def offset_strike(
    atm_strike: Decimal, kind: OptionKind, moneyness: Moneyness, n: int, strikes: Iterable[Decimal], step: Decimal
) -> Decimal:
    """The strike `n` steps in or out of the money. n is 1 to 20 (and 0 for ATM only); an unlisted strike is refused."""
    if moneyness == "ATM":
        if n != 0:
            raise Refused(f"ATM has no offset, not {n}")
        wanted = atm_strike
    else:
        if not 1 <= n <= MAX_OFFSET:
            raise Refused(f"{moneyness} offset must be 1 to {MAX_OFFSET}, not {n}")
        up = (kind == "CE") == (moneyness == "OTM")
        wanted = atm_strike + n * step if up else atm_strike - n * step
    if wanted not in set(strikes):
        raise Refused(f"strike {wanted} {kind} is not listed")
    return wanted


def tag(strike: Decimal, atm_strike: Decimal, kind: OptionKind, step: Decimal) -> str:
    """ATM, ITM3, OTM2; a strike between two steps counts as the nearer one, half up."""
    if strike == atm_strike:
        return "ATM"
    steps = max(int(round_half_up(abs(strike - atm_strike) / step, Decimal(1))), 1)
    inside = (strike < atm_strike) == (kind == "CE")
    return f"{'ITM' if inside else 'OTM'}{steps}"


def around(centre: Decimal, strikes: Iterable[Decimal], width: int) -> list[Decimal]:
    """The centre and up to `width` listed strikes on each side, ascending."""
    listed = sorted(set(strikes))
    below = [s for s in listed if s < centre][-width:] if width else []
    above = [s for s in listed if s > centre][:width]
    return [*below, *([centre] if centre in listed else []), *above]
