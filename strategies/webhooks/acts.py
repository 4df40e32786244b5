"""What an accepted signal does. Only runs, exit goals and the kill switch; never an order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import models

from accounts import assigned
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied, Refused
from algomirror.ops import alarms, journal, push, sight
from risk.services import kill, leaving
from strategies.domain.signals import LEAVING, OF_A_LEG, Act, Message, Verdict, is_young, read
from strategies.services import build, preview, stop
from strategies.services import start as starting
from strategies.webhooks.models import Signal, Webhook
from trading.models import Position, Run
from trading.services import byhand, evidence

# Nobody carries it out any more: who took it in ended before it was done, or its task was lost.
LEFT_AFTER: Final = timedelta(seconds=10)
# Older ones are history.
LOOK_BACK: Final = timedelta(hours=1)
# Twice as long as a signal is young.
LOST_AFTER: Final = timedelta(minutes=2)


def close(row: Signal, verdict: Verdict, why: str, *, run_id: int | None = None, goals: list[int] | None = None) -> Signal:
    """The last word on a signal, in its row and in the journal."""
    Signal.objects.filter(pk=row.pk).update(
        verdict=verdict, why=why[:500], run_id=run_id, goal_ids=goals or [], acted_at=clock.now()
    )
    row.refresh_from_db()
    journal.record(
        "signal",
        actor=by(row.hook),
        why=why,
        subject=f"signal:{row.public_id}",
        run_id=run_id,
        act=row.act,
        verdict=verdict.value,
    )
    push.push("webhooks", "changed")
    return row


def by(hook: Webhook) -> str:
    return f"webhook:{hook.pk}"


def leave(row: Signal, hook: Webhook, message: Message) -> Signal:
    """All but START work whatever the session, switches or limits say. One that fails rings, and the same signal sent again
    is carried out."""
    try:
        return _leave(row, hook, message)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        text = f"{hook.strategy}: the signal {message.act.value.lower()} of {hook.name} could not be carried out: {said}"
        alarms.ring("EXIT_NOT_ASKED", text, key=f"signal:{row.pk}")
        close(row, Verdict.FAILED, f"we failed, send it again: {said}")
        raise


def has_left_behind() -> bool:
    return _left_behind().exists()


def take_up() -> None:
    """Carry out the exits that were taken in and then forgotten: leaving is still meant."""
    for row in _left_behind().select_related("hook__strategy"):
        message = read(row.body.encode())
        mine = Signal.objects.filter(pk=row.pk, verdict=Verdict.QUEUED, acted_at=None)
        if isinstance(message, Message) and mine.update(acted_at=clock.now()):
            leave(row, row.hook, message)


def _left_behind() -> models.QuerySet[Signal]:
    now = clock.now()
    lately = Signal.objects.filter(received_at__gt=now - LOOK_BACK, received_at__lt=now - LEFT_AFTER)
    return lately.filter(verdict=Verdict.QUEUED, acted_at=None, act__in=[act.value for act in LEAVING]).order_by("pk")


def _leave(row: Signal, hook: Webhook, message: Message) -> Signal:
    why = message.why or f"signal {message.act.value.lower()} of {hook.name}"
    if message.act is Act.STOP:
        changed = build.set_entries(hook.strategy, enabled=False, by=by(hook))
        return close(row, Verdict.ACCEPTED, "entries are off" if changed else "entries were off already")
    if message.act is Act.KILL:
        build.set_entries(hook.strategy, enabled=False, by=by(hook))
    run = Run.objects.filter(strategy_id=hook.strategy_id).exclude(state=Run.State.CLOSED).first()
    if run is None and message.act is Act.KILL:
        return close(row, Verdict.ACCEPTED, "entries off; the strategy has no open run")
    if run is None:
        return close(row, Verdict.NOTHING_OPEN, "the strategy has no open run")
    if message.act is Act.KILL:
        done = kill.kill(scope="run", target=run.pk, level="FLATTEN", by=by(hook), reason=why)
        return close(row, Verdict.ACCEPTED, "entries off, run flattened", run_id=run.pk, goals=done.goals)
    if message.act in OF_A_LEG:
        return _leave_part(row, hook, message, run)
    goals = stop.exit_run(run.pk, by=by(hook), why=why, account_id=message.account)
    said = f"{len(goals)} exits asked" if goals else "nothing open there"
    return close(row, Verdict.ACCEPTED if goals else Verdict.NOTHING_OPEN, said, run_id=run.pk, goals=goals)


def _leave_part(row: Signal, hook: Webhook, message: Message, run: Run) -> Signal:
    """One leg, wholly or by some lots, in each account it is held in; each asks for its exit goal alone."""
    held = Position.objects.filter(book__run=run, leg=message.leg or 0).exclude(units=0).select_related("book")
    if message.account is not None:
        held = held.filter(book__account_id=message.account)
    goals, refusals = [], []
    for position in held.order_by("book__account_id"):
        try:
            goal = _close_part(position, message, by(hook), f"signal-{row.public_id}")
        except Refused as refused:
            refusals.append(f"account {position.book.account_id}: {refused.message}")
        except Exception as error:  # noqa: BLE001 - logged and rung there
            leaving.not_asked(position.book_id, position.book.account_id, error)
            refusals.append(f"account {position.book.account_id}: we failed: {type(error).__name__}")
        else:
            goals += [] if goal is None else [goal]
    said = f"{len(goals)} exits asked" if goals else "nothing open there"
    verdict = Verdict.ACCEPTED if goals else Verdict.DENIED if refusals else Verdict.NOTHING_OPEN
    return close(row, verdict, "; ".join(refusals if refusals and not goals else [said, *refusals]), run_id=run.pk, goals=goals)


def _close_part(position: Position, message: Message, who: str, key: str) -> int | None:
    units = None
    if message.lots is not None:
        lot = evidence.terms(position.book_id, (position.exchange, position.symbol, position.product)).lot_units
        units = min(message.lots * lot, abs(position.units))
    asked = byhand.close_position(position.pk, by=who, key=key, units=units)
    return None if asked.goal is None else asked.goal.pk


def start(signal_id: int) -> None:
    """Carry out a queued START, once, and only while the signal is young. Outside any transaction."""
    claimed = Signal.objects.filter(pk=signal_id, verdict=Verdict.QUEUED, acted_at=None).update(acted_at=clock.now())
    if not claimed:
        return
    row = Signal.objects.select_related("hook__strategy", "hook__owner").get(pk=signal_id)
    try:
        verdict, why, run_id = _start(row, row.hook)
    except Denied as denied:
        verdict, why, run_id = Verdict.DENIED, f"{denied.code}: {denied.message}", None
    except Refused as refused:
        verdict, why, run_id = Verdict.DENIED, refused.message, None
    except Exception:
        close(row, Verdict.FAILED, "we failed; the log says why. Whether a run was started, the runs page says")
        raise
    close(row, verdict, why, run_id=run_id)


def lost(now: datetime) -> models.QuerySet[Signal]:
    """Starts that no worker will finish any more: the signal has long been too old for it."""
    return Signal.objects.filter(act=Act.START.value, verdict=Verdict.QUEUED, received_at__lt=now - LOST_AFTER)


def close_lost() -> None:
    """Say of each what became of it: the run its worker left behind, or nothing, which rings."""
    for row in lost(clock.now()).select_related("hook__strategy"):
        run = Run.objects.filter(idempotency_key=_key(row)).first()
        if run is not None:
            close(row, Verdict.ACCEPTED, f"run {run.pk} started; its worker died after that", run_id=run.pk)
            continue
        close(row, Verdict.FAILED, "no worker carried it out; nothing was started")
        text = f"{row.hook.strategy.name} was not started by the signal of {row.hook.name}: no worker carried it out."
        alarms.ring("ENTRY_SIGNAL_LOST", text, key=row.public_id)


def _key(row: Signal) -> str:
    return f"signal-{row.public_id}"


def _start(row: Signal, hook: Webhook) -> tuple[Verdict, str, int | None]:
    if not is_young(row.received_at, clock.now()):
        return Verdict.STALE, "it waited too long for a worker", None
    if not hook.enabled:
        return Verdict.DENIED, "the webhook was switched off meanwhile", None
    if not hook.owner.may_trade:
        return Verdict.DENIED, f"{hook.owner.username} may not trade any more", None
    version = hook.strategy.current
    if version is None:
        return Verdict.DENIED, "the strategy has no version", None
    if _exits_since(row).filter(account_id=None).exists():
        return Verdict.DENIED, "an exit of the strategy came before it was carried out", None
    only = set(hook.accounts.values_list("pk", flat=True))
    accounts = list(version.accounts.filter(models.Q(pk__in=only) if only else models.Q(), archived_at=None))
    if hook.paper_only and any(account.mode != "PAPER" for account in accounts):
        return Verdict.DENIED, "this webhook trades paper accounts only", None
    with sight.limited_to(assigned.of(hook.owner)):
        plan = preview.preview(version, accounts, user=hook.owner)
    run = starting.start(plan.key, digest=plan.digest, idempotency_key=_key(row), by=by(hook))
    said = f"run {run.pk} started"
    for late in _exits_since(row):
        # It came while the run was not there to be found.
        stop.exit_run(run.pk, by=by(late.hook), why=f"signal {late.act.lower()} came meanwhile", account_id=late.account_id)
        said = f"run {run.pk} started, and taken out by the {late.act.lower()} that came meanwhile"
    return Verdict.ACCEPTED, said, run.pk


def _exits_since(row: Signal) -> models.QuerySet[Signal]:
    """Exits of the strategy that came after this start: who sent them wants to be out of what it starts."""
    came = [v.value for v in (Verdict.QUEUED, Verdict.ACCEPTED, Verdict.NOTHING_OPEN, Verdict.FAILED)]
    later = Signal.objects.filter(pk__gt=row.pk, hook__strategy_id=row.hook.strategy_id, verdict__in=came)
    return later.filter(act__in=[Act.EXIT.value, Act.KILL.value]).select_related("hook").order_by("pk")
