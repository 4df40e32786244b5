"""From a plan to a run: one transaction, one winner, whatever is clicked how often."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Denied, Refused
from algomirror.ops import journal, push, sight
from algomirror.ops.among import Among
from algomirror.ops.prepared import Prepared, PreparedUpdate, insert
from risk.domain.pretrade import Code
from risk.services import arming, reserving
from strategies.domain.plans import PlannedLine
from strategies.models import Leg, Plan, Strategy
from strategies.services import claiming, preview, protecting
from trading.models import Book, Run
from trading.services import intents, wake

ENTRY_WINDOW: Final = timedelta(minutes=5)

_use = PreparedUpdate(lambda plan, digest: Plan.objects.filter(pk=plan, used_at=None, digest=digest), ["used_at"])
_give_run = PreparedUpdate(lambda plan: Plan.objects.filter(pk=plan), ["run"])
_switches_of = Prepared(lambda strategy: Strategy.objects.filter(pk=strategy).values_list("archived_at", "entries_enabled"))
_underlyings_of = Prepared(lambda version: Leg.objects.filter(version_id=version).values_list("underlying__symbol", flat=True))
_accounts = Among("pk", lambda mine: Account.objects.filter(mine))


def start(plan_key: str, *, digest: str, idempotency_key: str, by: str) -> Run:
    """Send exactly this plan. A repeat (same key or same plan) returns the first run; anything else is a Conflict.

    Denied with a code when the plan is old, changed or no longer permitted. Reads books and prices first, so it runs
    outside any transaction; the run, its guards, its books and all its orders are committed together or not at all.
    """
    if not idempotency_key or len(idempotency_key) > 64:
        raise Refused("The command carries no usable idempotency key.", fields={"idempotency_key": "1 to 64 letters"})
    plan = Plan.objects.select_related("version__strategy", "run", "owner").filter(key=plan_key).first()
    if plan is None or plan.kind != Plan.Kind.STRATEGY:
        raise Denied(Code.PLAN_CHANGED, "This plan does not exist. Preview again.")
    sight.require(row["account"] for row in plan.lines)
    with sight.whole():
        return _start(plan, digest, idempotency_key, by)


def _start(plan: Plan, digest: str, idempotency_key: str, by: str) -> Run:
    if (first := _first_run(plan, idempotency_key)) is not None:
        return first
    lines = claiming.check_is_the_previewed(plan, digest)
    claiming.check_is_in_time(plan, clock.now())
    claiming.prepare(lines)
    wake.expect(len({line.account_id for line in lines}))
    try:
        with transaction.atomic():
            return _commit(plan, lines, idempotency_key, by)
    except IntegrityError:
        first = _first_of_others(plan, idempotency_key)
        if first is None:
            raise  # no race explains it
        return first


def _first_run(plan: Plan, idempotency_key: str) -> Run | None:
    """What an earlier command made of this plan or this key. Conflict when the key belongs to another plan."""
    known = Run.objects.filter(idempotency_key=idempotency_key).first()
    plan.refresh_from_db(fields=["run", "used_at"])
    if known is not None:
        if plan.run_id != known.pk:
            raise Conflict("This command was already used for another plan.")
        return known
    return plan.run


def _commit(plan: Plan, lines: list[PlannedLine], idempotency_key: str, by: str) -> Run:
    now = clock.now()
    # First write of the transaction: on PostgreSQL a racing start waits here and then changes no row.
    if not _use(plan.pk, plan.digest, now):
        first = _first_of_others(plan, idempotency_key)
        if first is None:
            raise Conflict("This plan is being sent by another command.")
        return first
    claiming.check_is_in_time(plan, now)
    assert plan.version is not None
    strategy = plan.version.strategy
    strategy.archived_at, strategy.entries_enabled = _switches_of.one(strategy.pk)
    if strategy.archived_at is not None or not strategy.entries_enabled:
        raise Denied(Code.NOT_PERMITTED, f"Entries of {strategy.name} are switched off.")
    accounts = {account.pk: account for account in _accounts({line.account_id for line in lines})}
    permit = claiming.permit(plan, lines, list(accounts.values()), by=by)
    needed = claiming.claim_margin(plan, accounts)
    run = Run(
        owner=plan.owner,
        name=plan.terms["name"],
        strategy_id=strategy.pk,
        mode=plan.terms["mode"],
        state=Run.State.ENTERING,
        started_at=now,
        idempotency_key=idempotency_key,
    )
    insert(run)
    _give_run(plan.pk, run.pk)
    reserving.reserve(run, needed)
    books = _open_books(run, plan, lines, accounts, permit, by)
    legs = protecting.structure(books, lines, _underlyings_of(plan.version_id))
    terms = preview.limits_from(plan.terms["limits"])
    arming.arm(run_id=run.pk, book_ids=[book.pk for book in books], terms=terms, structure=legs)
    wake.wake(accounts)
    _tell(run, plan, lines, by)
    return run


def _open_books(
    run: Run, plan: Plan, lines: list[PlannedLine], accounts: dict[int, Account], permit: dict[str, Any], by: str
) -> list[Book]:
    wanted: dict[Account, list[intents.EntryLine]] = {}
    for line, entry in zip(lines, claiming.entry_lines(lines, permit), strict=True):
        wanted.setdefault(accounts[line.account_id], []).append(entry)
    with journal.together():
        return intents.open_run_books(
            run=run,
            lines=wanted,
            hedge_wait_s=float(plan.terms["hedge_wait_s"]),
            entry_until=run.started_at + ENTRY_WINDOW,
            actor=by,
        )


def _tell(run: Run, plan: Plan, lines: list[PlannedLine], by: str) -> None:
    journal.record(
        "run.started",
        actor=by,
        why=plan.terms["name"],
        subject=f"plan:{plan.key}",
        moved=("PLANNED", "ENTERING"),
        run_id=run.pk,
        accounts=sorted({line.account_id for line in lines}),
        orders=sum(len(line.slices) for line in lines),
        spot=plan.snapshot.get("spot"),
        digest=plan.digest,
    )
    push.push("runs", "changed")


def _first_of_others(plan: Plan, idempotency_key: str) -> Run | None:
    """Another command was first: its run if it sent this very plan; Conflict if its strategy is running otherwise."""
    first = _first_run(plan, idempotency_key)
    if first is not None:
        return first
    assert plan.version is not None
    open_run = Run.objects.filter(strategy_id=plan.version.strategy_id).exclude(state=Run.State.CLOSED).first()
    if open_run is not None:
        raise Conflict(f"{plan.version.strategy} already has an open run ({open_run.pk}).", fields={"run": str(open_run.pk)})
    return None
