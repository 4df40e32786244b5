"""What a plan tells the risk room: which protections fit its structure, and what its run is armed with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from math import gcd
from typing import Protocol

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.kernel.money import ZERO, Action
from marketdata import calendar, cutoffs, selectors
from marketdata.domain.sessions import local
from risk.domain import times
from risk.domain.limits import LimitTerms
from risk.domain.pretrade import Code, Denial
from risk.domain.terms import Line, PlannedLeg, Structure
from risk.domain.trailing import percent_is_meaningless
from strategies.domain.legs import LegSpec
from strategies.domain.plans import PlannedLine
from strategies.domain.resolve import Line as Resolved
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


def leaving_already(terms: LimitTerms, lines: Iterable[Resolved], now: datetime) -> list[Denial]:
    """Contracts that a run would leave with its next look, because their last close is near."""
    if terms.more.let_expire:
        return []
    found: list[Denial] = []
    for line in lines:
        due = times.expiry_due(calendar.sessions(), line.contract.exchange, line.contract.expiry)
        if due is not None and now >= due:
            text = (
                f"Leg {line.leg}: {line.contract.symbol} ends on {line.contract.expiry:%d %b}; runs leave at {local(due):%H:%M}"
                " and none is entered from then on."
            )
            found.append(Denial(Code.ENTRY_WINDOW_CLOSED, text, leg=line.leg))
    return found


def cautions(terms: LimitTerms, lines: Sequence[Priced]) -> list[str]:
    """What the trader should hear before sending: an indicator side or a premium against the structure."""
    st = terms.more.supertrend
    priced = [(line.action, line.units * (line.decision_price or ZERO)) for line in lines]
    net = sum((value if action == "BUY" else -value for action, value in priced), ZERO)
    present = "CREDIT" if net < 0 else "DEBIT"
    said = [
        _met(name, line, abs(net) / base, trips_up=trips_up)
        for name, line, trips_up in _premium_lines(terms, present)
        if (base := gcd(*(one.units for one in lines)))
    ]
    if st is not None and st.side not in ("AUTO", present):
        said.append(f"Supertrend is told {st.side.lower()}, but at these prices the structure is a {present.lower()}.")
    return [words for words in said if words]


def _premium_lines(terms: LimitTerms, present: str) -> list[tuple[str, Line, bool]]:
    """Absolute premiums only: a distance from entry cannot be met at entry. A credit is lost upward, a debit downward."""
    both = (("stop", terms.more.premium_stop, present == "CREDIT"), ("target", terms.more.premium_target, present == "DEBIT"))
    return [(name, line, trips_up) for name, line, trips_up in both if line is not None and line.kind == "PREMIUM"]


def _met(name: str, line: Line, premium: Decimal, *, trips_up: bool) -> str:
    if premium < line.value if trips_up else premium > line.value:
        return ""
    side = "above" if trips_up else "below"
    return (
        f"The combined premium {name} at {line.value.normalize():f} is met already: the structure stands at {premium:.2f},"
        f" and the {name} belongs {side} it. The run would leave at once."
    )


def mis_cautions(accounts: Sequence[Account], exchanges: Iterable[str], *, is_run: bool) -> list[str]:
    """By when MIS is over, of the first of these accounts whose broker closes it. A ticket has no timed exit."""
    day = clock.trading_day(clock.now())
    found = [
        (cutoff, account.name)
        for account in accounts
        for exchange in exchanges
        if (cutoff := cutoffs.of_account(exchange, day, account.pk)) is not None
    ]
    if not found:
        return []
    cutoff, name = min(found, key=lambda one: one[0].at)
    closes, leaves = local(cutoff.at), local(cutoff.leaves_at)
    then = f"the run leaves at {leaves:%H:%M} at the latest" if is_run else "a ticket does not leave by itself: close it before"
    return [f"MIS: the broker of {name} closes it at {closes:%H:%M}; {then}."]


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
