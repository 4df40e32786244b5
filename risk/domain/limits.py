"""Limits as a trader states them, and which change loosens protection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from algomirror.kernel.errors import Refused
from algomirror.kernel.money import PAISA, parse_decimal
from risk.domain.guards import Rule
from risk.domain.terms import NO_TERMS, Line, RiskTerms, Structure

LARGEST: Final = Decimal("999999999999.99")


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """Rupees, positive; None is off. `more` holds every other protection."""

    max_loss: Decimal | None = None
    max_profit: Decimal | None = None
    scope: Literal["RUN", "BOOK"] = "RUN"
    max_loss_action: Literal["EXIT", "ALERT"] = "EXIT"
    max_profit_action: Literal["EXIT", "ALERT"] = "EXIT"
    blind_policy: Literal["HOLD", "FLATTEN"] = "HOLD"
    more: RiskTerms = field(default_factory=lambda: NO_TERMS)

    def rules(self) -> list[Rule]:
        """Those that watch money: each once for the run, or once for each book."""
        wanted = (
            (Rule.MAX_LOSS, self.max_loss),
            (Rule.MAX_PROFIT, self.max_profit),
            (Rule.TRAILING_STOP, self.more.trail),
            (Rule.PROFIT_LOCK, self.more.lock),
        )
        return [rule for rule, limit in wanted if limit is not None]

    @property
    def has_hard_stop(self) -> bool:
        return self.max_loss is not None and self.max_loss_action == "EXIT"


@dataclass(frozen=True, slots=True)
class Post:
    """One guard to be made: a rule with its scope. `key` is unique per run and rule."""

    rule: Rule
    key: str
    book_id: int | None = None
    leg: int | None = None


def posts(terms: LimitTerms, book_ids: list[int], structure: Structure) -> Iterator[Post]:
    """Every guard these terms ask for on this run."""
    for rule in terms.rules():
        if terms.scope == "RUN":
            yield Post(rule, "run")
        else:
            yield from (Post(rule, f"book:{book_id}", book_id) for book_id in book_ids)
    more = terms.more
    whole = (
        (Rule.PREMIUM_STOP, more.premium_stop),
        (Rule.PREMIUM_TARGET, more.premium_target),
        (Rule.UNDERLYING_BELOW, more.underlying_below),
        (Rule.UNDERLYING_ABOVE, more.underlying_above),
        (Rule.EXIT_TIME, more.exit_time),
        (Rule.SUPERTREND, more.supertrend),
    )
    yield from (Post(rule, "run") for rule, limit in whole if limit is not None)
    if more.square_off is not None or any(leg.product == "MIS" for leg in structure.legs):
        yield Post(Rule.SQUARE_OFF, "run")
    if not more.let_expire:
        yield from (Post(Rule.EXPIRY, f"expiry:{day}") for day in structure.expiries)
    for leg in structure.legs:
        wanted = more.leg(leg.leg)
        lines = ((Rule.LEG_STOP, wanted.stop), (Rule.LEG_TARGET, wanted.target), (Rule.LEG_TRAILING, wanted.trail))
        rules = [rule for rule, line in lines if line is not None]
        if more.stop_to_cost:
            rules.append(Rule.COST_STOP)
        yield from (Post(rule, f"book:{leg.book}:leg:{leg.leg}", leg.book, leg.leg) for rule in rules)


def amount(value: object, field: str) -> Decimal | None:
    """5000, "-5,000.00" and "₹5,000" all mean 5000; empty means off; 0, paise fractions and nonsense are refused."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = parse_decimal(value)
    if number is None:
        raise Refused(f"{field}: not an amount", fields={field: "not an amount in rupees"})
    number = abs(number)
    if number == 0:
        raise Refused(f"{field}: 0 is no limit; leave it empty to switch it off", fields={field: "0 is no limit; leave it empty"})
    if number > LARGEST or number != number.quantize(PAISA):
        raise Refused(f"{field}: at most twelve digits and two decimals", fields={field: "at most twelve digits, two decimals"})
    return number.quantize(PAISA)


def loosens(old: LimitTerms, new: LimitTerms) -> bool:
    """True when the run would be less protected: a limit removed or widened, an exit made an alert, blindness tolerated."""
    for before, after in ((old.max_loss, new.max_loss), (old.max_profit, new.max_profit)):
        if before is not None and (after is None or after > before):
            return True
    exits = ((old.max_loss_action, new.max_loss_action), (old.max_profit_action, new.max_profit_action))
    if any(a == "EXIT" and b == "ALERT" for a, b in exits) or (old.blind_policy, new.blind_policy) == ("FLATTEN", "HOLD"):
        return True
    return _loosens_more(old.more, new.more)


def _loosens_more(old: RiskTerms, new: RiskTerms) -> bool:
    """A changed protection counts as loosened unless it is plainly tighter: who cannot tell must give a reason."""
    if (old.stop_to_cost and not new.stop_to_cost) or (new.let_expire and not old.let_expire):
        return True
    if any(_looser_line(a, b) for a, b in ((old.premium_stop, new.premium_stop), (old.premium_target, new.premium_target))):
        return True
    for number in {*old.legs, *new.legs}:
        a, b = old.leg(number), new.leg(number)
        if a.action == "EXIT" and b.action == "ALERT":
            return True
        if any(_looser_line(x, y) for x, y in ((a.stop, b.stop), (a.target, b.target), (a.trail, b.trail))):
            return True
    for x, y in ((old.exit_time, new.exit_time), (old.square_off, new.square_off)):
        if x is not None and (y is None or y > x):
            return True
    above, below = (old.underlying_above, new.underlying_above), (old.underlying_below, new.underlying_below)
    if above[0] is not None and (above[1] is None or above[1] > above[0]):
        return True
    if below[0] is not None and (below[1] is None or below[1] < below[0]):
        return True
    kept = ((old.lock, new.lock), (old.supertrend, new.supertrend))
    return _looser_trail(old, new) or any(a is not None and b != a for a, b in kept)


def _looser_line(old: Line | None, new: Line | None) -> bool:
    if old is None or old == new:
        return False
    return new is None or new.kind != old.kind or old.kind == "PREMIUM" or new.value > old.value


def _looser_trail(old: RiskTerms, new: RiskTerms) -> bool:
    a, b = old.trail, new.trail
    if a is None or a == b:
        return False
    return b is None or (b.kind, b.mode) != (a.kind, a.mode) or b.value > a.value or b.activation > a.activation
