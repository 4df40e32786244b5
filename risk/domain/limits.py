"""Limits as a trader states them, and which change loosens protection."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from algomirror.kernel.errors import Refused
from algomirror.kernel.money import PAISA, parse_decimal
from risk.domain.guards import Rule

LARGEST: Final = Decimal("999999999999.99")


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """Rupees, positive; None is off."""

    max_loss: Decimal | None = None
    max_profit: Decimal | None = None
    scope: Literal["RUN", "BOOK"] = "RUN"
    max_loss_action: Literal["EXIT", "ALERT"] = "EXIT"
    max_profit_action: Literal["EXIT", "ALERT"] = "EXIT"
    blind_policy: Literal["HOLD", "FLATTEN"] = "HOLD"

    def rules(self) -> list[Rule]:
        pairs = ((Rule.MAX_LOSS, self.max_loss), (Rule.MAX_PROFIT, self.max_profit))
        return [rule for rule, limit in pairs if limit is not None]


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
    return any(a == "EXIT" and b == "ALERT" for a, b in exits) or (old.blind_policy, new.blind_policy) == ("FLATTEN", "HOLD")
