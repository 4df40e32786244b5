"""What a plan tells the risk room: which protections fit its structure, and what its run is armed with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol

from algomirror.kernel.errors import Refused
from algomirror.kernel.money import ZERO, Action
from marketdata import selectors
from risk.domain.limits import LimitTerms
from risk.domain.terms import PlannedLeg, Structure
from risk.domain.trailing import percent_is_meaningless
from strategies.domain.legs import LegSpec
from strategies.domain.plans import PlannedLine
from trading.models import Book


class Priced(Protocol):
    @property
    def action(self) -> Action: ...

    @property
    def units(self) -> int: ...

    @property
    def decision_price(self) -> Decimal | None: ...


def checked(terms: LimitTerms, legs: Sequence[LegSpec], lines: Iterable[Priced]) -> LimitTerms:
    """The same terms, when this structure at these prices can be watched by them. Refused with the field otherwise."""
    more = terms.more
    if (more.underlying_below or more.underlying_above) and len({leg.underlying for leg in legs}) != 1:
        raise Refused(
            "An index level needs legs of one underlying.", fields={"underlying_below": "the legs are of several underlyings"}
        )
    strangers = [number for number in more.legs if number and number not in {leg.number for leg in legs}]
    if strangers:
        raise Refused(f"There is no leg {strangers[0]}.", fields={f"leg{strangers[0]}_stop": "there is no such leg"})
    if more.trail is not None and more.trail.kind == "PERCENT":
        priced = [(line.action, line.units * (line.decision_price or ZERO)) for line in lines]
        gross = sum((value for _, value in priced), ZERO)
        net = sum((value if action == "BUY" else -value for action, value in priced), ZERO)
        if percent_is_meaningless(net, gross):
            raise Refused(
                "The net premium is under 10 % of the gross premium: trail by points or rupees.",
                fields={"trail_kind": "per cent of next to nothing; use points or rupees"},
            )
    return terms


def cautions(terms: LimitTerms, lines: Iterable[Priced]) -> list[str]:
    """What the trader should hear before sending: an indicator side against the structure."""
    st = terms.more.supertrend
    priced = [(line.action, line.units * (line.decision_price or ZERO)) for line in lines]
    net = sum((value if action == "BUY" else -value for action, value in priced), ZERO)
    present = "CREDIT" if net < 0 else "DEBIT"
    if st is None or st.side in ("AUTO", present):
        return []
    return [f"Supertrend is told {st.side.lower()}, but at these prices the structure is a {present.lower()}."]


def structure(books: Iterable[Book], lines: Sequence[PlannedLine], underlyings: Iterable[str]) -> Structure:
    """The planned legs of every book, and the index key when there is one underlying only."""
    of_account = {book.account_id: book.pk for book in books}
    names = sorted(set(underlyings))
    planned = tuple(
        PlannedLeg(
            book=of_account[line.account_id],
            leg=line.leg,
            key=line.key,
            product=line.product,
            action=line.action,
            units=line.units,
            expiry=line.expiry.isoformat(),
            covers=line.hedge_legs if line.purpose == "HEDGE" else (),
        )
        for line in lines
    )
    return Structure(planned, selectors.index_key(names[0]) if len(names) == 1 else "")
