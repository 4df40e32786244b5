"""What every sending of a plan has in common: it is the previewed one, in time, permitted, and sent once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied
from risk.domain.pretrade import Code, Denial, LineFacts
from risk.services import funds, gate, reserving
from strategies.domain.plans import PlannedLine, decode, digest_of, patterns
from strategies.domain.sizes import decode_size
from strategies.models import Plan
from strategies.services.resolving import contracts_by_key, fresh_quotes
from trading.services import poll
from trading.services.intents import EntryLine

FUNDS_AGE_S = 30.0


def check_is_the_previewed(plan: Plan, digest: str) -> list[PlannedLine]:
    """The plan's lines, when neither the row nor the sender's idea of it changed. Denied PLAN_CHANGED otherwise."""
    present = digest_of(
        key=plan.key,
        kind=plan.kind,
        version=plan.version_id,
        snapshot=plan.snapshot,
        lines=plan.lines,
        skipped=plan.skipped,
        terms=plan.terms,
    )
    if not digest or digest != plan.digest or present != plan.digest:
        raise Denied(Code.PLAN_CHANGED, "This is not the plan that was previewed. Nothing was sent; preview again.")
    return [decode(row) for row in plan.lines]


def check_is_in_time(plan: Plan, now: datetime) -> None:
    if now > plan.expires_at:
        late = (now - plan.expires_at).total_seconds()
        raise Denied(Code.PLAN_EXPIRED, f"The plan expired {late:.0f} s ago. Nothing was sent; preview again.")


def prepare(lines: Sequence[PlannedLine]) -> None:
    """Network before the transaction: books and funds of the accounts, and prices that grew old since the preview."""
    ids = sorted({line.account_id for line in lines})
    poll.ensure_fresh(ids)
    funds.refresh(list(Account.objects.filter(pk__in=ids)), older_than_s=FUNDS_AGE_S)
    fresh_quotes(sorted({line.key for line in lines}))


def permit(plan: Plan, lines: Sequence[PlannedLine], accounts: Sequence[Account], *, by: str) -> dict[str, Any]:
    """The gate's written yes for every line of this plan, from what is stored now; Denied with every reason otherwise."""
    now = clock.now()
    quotes = fresh_quotes({line.key for line in lines}, ask=False)
    listed = contracts_by_key({line.key for line in lines})
    waiting = gate.unacknowledged(account.pk for account in accounts)
    today = clock.today()
    facts: dict[int, list[LineFacts]] = defaultdict(list)
    changed: list[Denial] = []
    made: dict[tuple[int, bool], LineFacts] = {}
    for line, pattern in zip(lines, patterns(lines), strict=True):
        is_waiting = (line.account_id, line.exchange, line.symbol, line.product, line.action) in waiting
        row = listed.get(line.key)
        if row is not None and (row.lot_units, row.tick, row.freeze_units) != (line.lot_units, line.tick, line.freeze_units):
            changed.append(Denial(Code.PLAN_CHANGED, f"The terms of {line.symbol} changed since the preview.", leg=line.leg))
        if (id(pattern), is_waiting) not in made:
            made[id(pattern), is_waiting] = LineFacts(
                leg=line.leg,
                symbol=line.symbol,
                is_listed=row is not None,
                expiry=None if row is None else row.expiry,
                today=today,
                units=line.units,
                lot_units=line.lot_units,
                tick=line.tick,
                price_type=line.price_type,
                price=line.price,
                trigger_price=line.trigger_price,
                quote_is_fresh=line.key in quotes,
                reference=quotes[line.key].deciding_price if line.key in quotes else None,
                exchange=line.exchange,
                product=line.product,
                has_unacknowledged=is_waiting,
            )
        facts[line.account_id].append(made[id(pattern), is_waiting])
    denials = gate.check_plan(
        accounts=accounts,
        mode=plan.terms.get("mode"),
        lines=facts,
        exchanges={line.exchange for line in lines},
        now=now,
        opens_run=plan.kind == Plan.Kind.STRATEGY,
    )
    return gate.permit([*changed, *denials], plan=plan.key, by=by, now=now, digest=plan.digest)


def claim_margin(plan: Plan, accounts: Mapping[int, Account]) -> dict[int, Decimal]:
    """Rupees by account that this plan needs and that are still free. Denied otherwise. Inside the sending transaction.

    `accounts`: those this transaction has read.
    """
    sizes = [decode_size(row) for row in plan.terms.get("sizes", ())]
    taking = [size for size in sizes if size.structures > 0 and size.needed is not None]
    needed = {size.account_id: size.needed for size in taking if size.needed is not None}
    if needed:
        gate.refuse(reserving.check(needed, buys_only=taking[0].basis == "CASH", known=accounts))
    return needed


def entry_lines(lines: Sequence[PlannedLine], permit: dict[str, Any]) -> list[EntryLine]:
    """One for each line; one and the same for lines of several accounts that say the same."""
    made: dict[int, EntryLine] = {}
    found = []
    for pattern in patterns(lines):
        if id(pattern) not in made:
            made[id(pattern)] = entry_line(pattern, permit)
        found.append(made[id(pattern)])
    return found


def entry_line(line: PlannedLine, permit: dict[str, Any], *, leg_offset: int = 0) -> EntryLine:
    return EntryLine(
        leg=line.leg + leg_offset,
        purpose=line.purpose,
        exchange=line.exchange,
        symbol=line.symbol,
        product=line.product,
        action=line.action,
        units=line.units,
        lot_units=line.lot_units,
        tick=line.tick,
        freeze_units=line.freeze_units,
        price_type=line.price_type,
        price=line.price,
        trigger_price=line.trigger_price if line.trigger_price else Decimal(0),
        protected=line.protected,
        decision_price=line.decision_price,
        permit=permit,
        hedge_legs=[leg + leg_offset for leg in line.hedge_legs],
    )
