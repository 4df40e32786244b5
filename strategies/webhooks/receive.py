"""The way of a signal: who is it, is it new, may it now. Only then does it act, through runs and exit goals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts import attempts
from algomirror.kernel import clock, ids
from algomirror.ops import push, queue
from marketdata.domain.sessions import local
from strategies.domain.signals import (
    LEAVING,
    Act,
    Message,
    Verdict,
    fallback_key,
    from_allowed,
    in_window,
    is_authentic,
    is_young,
    printable,
    read,
)
from strategies.webhooks import acts
from strategies.webhooks.models import Signal, Webhook
from strategies.webhooks.services import secrets_of

KEY_LIVES = timedelta(days=7)
BAD_LOGGED_AN_HOUR = 30


@dataclass(frozen=True, slots=True)
class Request:
    raw: bytes
    source: str
    signed: str = ""
    shown: str = ""


def receive(public_id: str, request: Request) -> Signal | None:
    """The signal's row with its verdict; None when the sender is not recognised, and it is not told why."""
    hook = Webhook.objects.select_related("strategy", "owner").filter(public_id=public_id).first()
    if hook is None:
        return None
    message = read(request.raw)
    why = _unrecognised(hook, request, message)
    if why:
        if attempts.spend("hook-bad", public_id, limit=BAD_LOGGED_AN_HOUR, seconds=3600):
            _row(hook, request, message, f"refused:{ids.new_key()}", Verdict.REFUSED, why)
        return None
    now = clock.now()
    if isinstance(message, str):
        return _row(hook, request, message, f"unreadable:{ids.new_key()}", Verdict.UNREADABLE, message)
    verdict, why = _first(_timely(message, now))
    if verdict is Verdict.STALE:
        return _row(hook, request, message, f"stale:{ids.new_key()}", verdict, why)
    row, is_new = _claim_key(hook, request, message, now)
    if not is_new and _was_not_done(row, now):
        return _act(row, hook, message)
    if not is_new:
        return _row(hook, request, message, f"again:{ids.new_key()}", Verdict.DUPLICATE, f"the same as signal {row.public_id}")
    verdict, why = _first(_permitted(hook, message, now, before=row.pk))
    if verdict is not Verdict.ACCEPTED:
        return acts.close(row, verdict, why)
    return _act(row, hook, message)


def _unrecognised(hook: Webhook, request: Request, message: Message | str) -> str:
    """Why this sender is turned away, for the log; "" when it is who it should be."""
    if not hook.enabled:
        return "the webhook is off"
    if not from_allowed(request.source, hook.sources):
        return "not from an allowed address"
    shown = request.shown or (message.secret if isinstance(message, Message) else "")
    return "" if is_authentic(secrets_of(hook), request.raw, signed=request.signed, shown=shown) else "wrong or no secret"


Finding = tuple[Verdict, str]


def _first(found: Iterator[Finding]) -> Finding:
    return next(found, (Verdict.ACCEPTED, ""))


def _timely(message: Message, now: datetime) -> Iterator[Finding]:
    if message.sent_at is None:
        yield Verdict.STALE, "it carries no timestamp: seconds since 1970 or ISO time with its zone"
    elif not is_young(message.sent_at, now):
        yield Verdict.STALE, f"sent {(now - message.sent_at).total_seconds():.0f} s ago"


def _permitted(hook: Webhook, message: Message, now: datetime, *, before: int | None = None) -> Iterator[Finding]:
    """What the hook's own rules say. Leaving is bound by nothing but the list of acts."""
    if message.act not in hook.acts:
        yield Verdict.NOT_ALLOWED, f"this webhook may not {message.act.value.lower()}"
    if message.act in LEAVING:
        return
    here = local(now)
    if not in_window(here, weekdays=hook.weekdays, opens=hook.opens, closes=hook.closes):
        yield Verdict.OUT_OF_HOURS, f"{here:%A %H:%M} is outside this webhook's hours"
    starts = Signal.objects.filter(hook=hook, act=Act.START, verdict__in=[Verdict.ACCEPTED, Verdict.QUEUED])
    if before is not None:
        starts = starts.filter(pk__lt=before)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    if starts.filter(received_at__gte=midnight).count() >= hook.max_starts_a_day:
        yield Verdict.OVER_CAP, f"{hook.max_starts_a_day} starts today already"
    if starts.filter(received_at__gt=now - timedelta(seconds=hook.cool_off_s)).exists():
        yield Verdict.COOLING_OFF, f"started less than {hook.cool_off_s} s ago"


def judge(hook: Webhook, raw: bytes, *, source: str = "") -> list[tuple[str, bool, str]]:
    """How a body would be read, check by check, without acting and without the secret being judged."""
    message = read(raw)
    if isinstance(message, str):
        return [("Readable", False, message)]
    now = clock.now()
    rows = [("Readable", True, _said(message))]
    rows.append(("Webhook is on", hook.enabled, "" if hook.enabled else "switch it on"))
    if source:
        rows.append(("Source", from_allowed(source, hook.sources), source))
    late, rules = list(_timely(message, now)), list(_permitted(hook, message, now))
    rows.append(("Timestamp", not late, late[0][1] if late else "within a minute"))
    rows += [(verdict.value.replace("_", " ").capitalize(), False, why) for verdict, why in rules]
    if not rules:
        rows.append(("Rules of this webhook", True, "permitted; the gate is asked when it acts"))
    return rows


def _said(message: Message) -> str:
    words = [message.act.value.lower()]
    words += [f"by {message.lots} lots"] if message.lots is not None else []
    words += [f"of leg {message.leg}"] if message.leg is not None else []
    words += [f"in account {message.account}"] if message.account is not None else []
    return " ".join(words)


def _claim_key(hook: Webhook, request: Request, message: Message, now: datetime) -> tuple[Signal, bool]:
    """The first signal of this key within a week, and whether it is this one."""
    key = f"k:{message.key}" if message.key else fallback_key(request.raw, now)
    for _ in range(2):
        try:
            return _row(hook, request, message, key, Verdict.QUEUED, ""), True
        except IntegrityError:
            first = Signal.objects.get(hook=hook, key=key)
        if first.received_at > now - KEY_LIVES:
            return first, False
        Signal.objects.filter(pk=first.pk, key=key).update(key=f"old:{first.pk}")
    return first, False


def _was_not_done(first: Signal, now: datetime) -> bool:
    """Leaving that failed, or that nobody carries out any more: the same signal again means it still. Twice asks for no more."""
    if first.act not in {act.value for act in LEAVING}:
        return False
    is_left = first.verdict == Verdict.QUEUED and first.received_at < now - acts.LEFT_AFTER
    return is_left or first.verdict == Verdict.FAILED


def _row(hook: Webhook, request: Request, message: Message | str, key: str, verdict: Verdict, why: str) -> Signal:
    known = isinstance(message, Message)
    with transaction.atomic():
        row = Signal.objects.create(
            public_id=ids.new_key(),
            hook=hook,
            received_at=clock.now(),
            source=request.source[:45],
            act=message.act.value if isinstance(message, Message) else "",
            account_id=message.account if isinstance(message, Message) else None,
            key=key,
            body=_without_secret(request.raw) if known else "",
            verdict=verdict,
            why=why[:500],
        )
        push.push("webhooks", "changed")
    return row


def _without_secret(raw: bytes) -> str:
    body = json.loads(raw)
    kept = {str(k)[:40]: v for k, v in body.items() if k != "secret"}
    return printable(json.dumps(kept))[:1000]


def _act(row: Signal, hook: Webhook, message: Message) -> Signal:
    """Leaving happens now; a start asks brokers for books and prices, so a worker does it."""
    if message.act in LEAVING:
        return acts.leave(row, hook, message)
    if not queue.enqueue("signals", "strategies.webhooks.tasks.start", row.pk, key=f"hook:{row.pk}"):
        return acts.close(row, Verdict.FAILED, "the task queue did not take it; nothing was started")
    return row
