"""Orders by hand on many accounts at once: previewed as a plan, sent exactly so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import models, transaction

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied, Refused
from algomirror.kernel.money import ZERO
from algomirror.ops import sight
from marketdata.domain.quotes import Quote
from risk.domain.pretrade import Code
from strategies.domain import tickets
from strategies.domain.drafts import SizingTerms
from strategies.domain.plans import PlannedLine, planned
from strategies.domain.resolve import Contract, Line, net_premium, out_of_range, phase, price_line
from strategies.domain.sizes import Size, encode_size
from strategies.domain.tickets import Ticket
from strategies.models import Plan
from strategies.services import claiming, protecting, sizing
from strategies.services import preview as plans
from strategies.services.resolving import Resolved, contract_of, contracts_by_key, fresh_quotes, quote_row
from trading.domain.smart import smart_price
from trading.models import Book, ExitGoal, Order, Position
from trading.models.books import ExitReason
from trading.services import flatten, intents, versions, wake


@dataclass(frozen=True, slots=True)
class Sent:
    """What a ticket became: entry orders, or (reduce-only) exit goals."""

    order_ids: tuple[int, ...]
    goal_ids: tuple[int, ...]


def preview_ticket(ticket: Ticket, *, user: User) -> Plan:
    """A plan of these contracts for these accounts. Refused with fields, or Denied with codes. Outside any transaction."""
    found = tickets.faults(ticket)
    if found:
        raise Refused("The ticket is not complete.", fields=found)
    accounts = list(Account.objects.filter(pk__in=ticket.account_ids, archived_at=None))
    if len(accounts) != len(set(ticket.account_ids)):
        raise Refused("The ticket is not complete.", fields={"accounts": "an account is unknown or archived"})
    with sight.whole():
        return _preview(ticket, accounts, user)


def _preview(ticket: Ticket, accounts: list[Account], user: User) -> Plan:
    mode = plans.one_mode(accounts, attended=not ticket.reduce_only)
    resolved = _price(ticket)
    mis = {leg.exchange for leg in ticket.legs} if ticket.product == "MIS" else set()
    kept, skipped = (accounts, []) if ticket.reduce_only else plans.split(accounts, mode, mis=mis)
    sizes: list[Size] = []
    if not ticket.reduce_only:
        sizes = _sizes(ticket, resolved, kept)
        kept, skipped = plans.fitting(sizes, kept, skipped)
    lines = [
        planned(line, account_id=account.pk, account_name=account.name, product=ticket.product)
        for account in kept
        for line in resolved.lines
    ]
    if ticket.reduce_only:
        _check_owned(lines)
    terms = {
        "name": "Ticket",
        "mode": mode,
        "product": ticket.product,
        "price_type": ticket.price_type,
        "reduce_only": ticket.reduce_only,
        "sizes": [encode_size(size) for size in sizes],
        "net_premium": str(net_premium(resolved.lines)),
        "warnings": [] if ticket.reduce_only else protecting.mis_cautions(kept, mis, is_run=False),
    }
    return plans.store(kind=Plan.Kind.TICKET, user=user, version=None, found=resolved, lines=lines, skipped=skipped, terms=terms)


def _sizes(ticket: Ticket, resolved: Resolved, kept: Sequence[Account]) -> list[Size]:
    """The ticket as one structure per account: what it needs, and who cannot carry it."""
    listed = contracts_by_key(leg.key for leg in ticket.legs)
    underlyings = {n: listed[leg.key].underlying for n, leg in enumerate(ticket.legs, start=1)}
    what = sizing.structure_of(resolved.lines, underlyings, 1, ticket.product)
    return sizing.size(what, kept, structures=1, terms=SizingTerms(), factors={})


def _price(ticket: Ticket) -> Resolved:
    listed = contracts_by_key(leg.key for leg in ticket.legs)
    contracts: dict[str, tuple[str, Contract]] = {}
    for leg in ticket.legs:
        row = listed.get(leg.key)
        contract = None if row is None else contract_of(row)
        if row is None or contract is None:
            raise Denied(Code.INSTRUMENT_UNKNOWN, f"{leg.symbol} is no listed option or future of {leg.exchange}.")
        contracts[leg.key] = (row.underlying, contract)
    if ticket.price_type != "MARKET_PROTECTED" and (wrong := tickets.tick_faults(ticket, contracts[ticket.legs[0].key][1])):
        raise Refused("The price is not on the tick.", fields=wrong)
    quotes = fresh_quotes(contracts)
    missing = [contracts[key][1].symbol for key in contracts if key not in quotes]
    if missing:
        raise Denied(Code.QUOTE_STALE, f"No fresh price of {', '.join(missing)}.")
    now = clock.now()
    lines = sorted(_lines(ticket, contracts, quotes), key=phase)
    if ticket.price_type != "MARKET_PROTECTED" and (wrong := out_of_range(lines[0])):
        raise Refused("The price is outside the exchange's range.", fields=wrong)
    return Resolved(
        at=now,
        choices=[],
        contracts={},
        lines=lines,
        denials=[],
        snapshot={"at": now.isoformat(), "spot": {}, "quotes": {key: quote_row(quote, now) for key, quote in quotes.items()}},
    )


def _lines(ticket: Ticket, contracts: dict[str, tuple[str, Contract]], quotes: dict[str, Quote]) -> list[Line]:
    covers = {} if ticket.reduce_only else tickets.hedges(ticket.legs, contracts)
    found: list[Line] = []
    for n, leg in enumerate(ticket.legs, start=1):
        waits = [number for number, shorts in covers.items() if n in shorts]
        line = price_line(
            leg=n,
            purpose="HEDGE" if n in covers else "ENTRY",
            contract=contracts[leg.key][1],
            action=leg.action,
            lots=leg.lots,
            quote=quotes[leg.key],
            hedge_legs=covers.get(n, tuple(waits)),
        )
        if ticket.price_type == "SMART":
            line = replace(line, price=_smart(line, quotes[leg.key]), protected=False)
        elif ticket.price_type != "MARKET_PROTECTED":
            line = replace(
                line,
                price_type=ticket.price_type,
                price=ticket.price or ZERO,
                trigger_price=ticket.trigger_price or ZERO,
                protected=False,
            )
        found.append(line)
    return found


def _smart(line: Line, quote: Quote) -> Decimal:
    price = smart_price(quote, line.action, line.contract.tick, future=line.contract.kind == "FUT")
    if price is None:
        text = f"{line.contract.symbol} has no bid and ask now: type a limit, or send it market-protected"
        raise Refused("No smart price.", fields={"price_type": text})
    return price


def _check_owned(lines: Sequence[PlannedLine]) -> None:
    """Reduce-only sells what the ticket book owns, never more: refused where it owns less or nothing."""
    for line in lines:
        held = _owned(line)
        if held is None or (held.units > 0) == (line.action == "BUY") or line.units > abs(held.units):
            units = 0 if held is None else held.units
            raise Refused(
                f"The ticket book on {line.account_name} owns {units} of {line.symbol}; {line.action} {line.units} would not "
                "only reduce it.",
                fields={"reduce_only": f"{line.account_name} owns {units}"},
            )


def _owned(line: PlannedLine) -> Position | None:
    return (
        Position.objects.filter(
            book__account_id=line.account_id,
            book__kind=Book.Kind.TICKET,
            # The other mode's book is not the one that would leave.
            book__mode=models.F("book__account__mode"),
            exchange=line.exchange,
            symbol=line.symbol,
            product=line.product,
        )
        .exclude(units=0)
        .first()
    )


def send_ticket(plan_key: str, *, digest: str, by: str) -> Sent:
    """Send exactly this ticket. A repeat returns what the first sending made. Outside any transaction."""
    plan = Plan.objects.filter(key=plan_key, kind=Plan.Kind.TICKET).first()
    if plan is None:
        raise Denied(Code.PLAN_CHANGED, "This ticket does not exist. Preview again.")
    sight.require(row["account"] for row in plan.lines)
    with sight.whole():
        return _send(plan, digest, by)


def _send(plan: Plan, digest: str, by: str) -> Sent:
    lines = claiming.check_is_the_previewed(plan, digest)
    if plan.used_at is not None:
        return _sent(plan)
    claiming.check_is_in_time(plan, clock.now())
    if not plan.terms["reduce_only"]:
        claiming.prepare(lines)
    with transaction.atomic():
        if not Plan.objects.filter(pk=plan.pk, used_at=None, digest=plan.digest).update(used_at=clock.now()):
            return _sent(plan)
        claiming.check_is_in_time(plan, clock.now())
        if plan.terms["reduce_only"]:
            _reduce(plan, lines, by)
        else:
            _write(plan, lines, by)
        wake.wake({line.account_id for line in lines})
    return _sent(plan)


def scope_of(plan: Plan) -> str:
    return f"t{plan.pk}"


def _write(plan: Plan, lines: list[PlannedLine], by: str) -> None:
    accounts = {account.pk: account for account in Account.objects.filter(pk__in={line.account_id for line in lines})}
    permit = claiming.permit(plan, lines, list(accounts.values()), by=by)
    claiming.claim_margin(plan, accounts)
    for account_id, account in accounts.items():
        book = intents.ticket_book(account)
        # Claim the book first: leg numbers must be new in it, because hedges are matched by leg.
        versions.bump(book.pk)
        used = Order.objects.filter(book=book).aggregate(last=models.Max("leg"))["last"] or 0
        intents.add_ticket_orders(
            account=account,
            lines=[claiming.entry_line(line, permit, leg_offset=used) for line in lines if line.account_id == account_id],
            scope=scope_of(plan),
            actor=by,
        )


def _reduce(plan: Plan, lines: list[PlannedLine], by: str) -> None:
    _check_owned(lines)
    for account_id in dict.fromkeys(line.account_id for line in lines):
        own = [line for line in lines if line.account_id == account_id]
        book = Book.objects.get(kind=Book.Kind.TICKET, account_id=account_id, mode=models.F("account__mode"))
        targets = {f"{line.key}:{line.product}": _leave(line) for line in own}
        flatten.request(
            book.pk,
            reason=ExitReason.MANUAL,
            asked_by=by,
            why="reduce-only ticket",
            numbers={"plan": plan.key},
            targets=targets,
        )


def _leave(line: PlannedLine) -> int:
    held = _owned(line)
    return max(abs(held.units) - line.units, 0) if held is not None else 0


def _sent(plan: Plan) -> Sent:
    orders = Order.objects.filter(client_order_id__startswith=f"{scope_of(plan)}-").order_by("id")
    goals: list[int] = []
    if plan.terms["reduce_only"]:
        accounts = {row["account"] for row in plan.lines}
        # An open goal that the ticket widened keeps its own numbers, so the open ones of these books count too.
        widened = models.Q(book__kind=Book.Kind.TICKET, book__account_id__in=accounts) & ~models.Q(state=ExitGoal.State.DONE)
        found = ExitGoal.objects.filter(models.Q(numbers__plan=plan.key) | widened)
        goals = list(found.order_by("id").values_list("pk", flat=True))
    return Sent(tuple(orders.values_list("pk", flat=True)), tuple(goals))
