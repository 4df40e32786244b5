"""May entries go out? The only writer of TradingState. Stricter is always possible; freer only by the owner."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import alarms, journal, push
from algomirror.ops.prepared import Prepared
from risk.domain.states import STRICTNESS, TradingMode, stricter
from risk.models import TradingState
from trading.models import Book
from trading.services import apply

FROZEN_BY_HALT = "HALT"

_platform = Prepared(lambda: TradingState.objects.filter(account__isnull=True).values_list("state", flat=True))
_account = Prepared(lambda account: TradingState.objects.filter(account_id=account).values_list("state", flat=True))


def _of(account_id: int | None) -> Q:
    return Q(account__isnull=True) if account_id is None else Q(account_id=account_id)


def present(account_id: int | None) -> TradingMode:
    """The state of one account (or of the platform, None) by itself. No row means nobody ever restricted it."""
    state = _platform.first() if account_id is None else _account.first(account_id)
    return TradingMode.ACTIVE if state is None else TradingMode(state)


def effective_state(account_id: int) -> TradingMode:
    """The stricter of the platform's and the account's."""
    return stricter(present(None), present(account_id))


def is_halted(account_id: int) -> bool:
    """Nothing but cancels may go out for this account."""
    return effective_state(account_id) is TradingMode.HALTED


def set_state(account: Account | None, state: TradingMode | str, *, by: str, why: str) -> bool:
    """Make it at least this strict. False when it already was; this never loosens (see release)."""
    wanted = TradingMode(state)
    return _move(None if account is None else account.pk, wanted, by=by, why=why, loosen=False)


def release(account: Account | None, *, user: User, why: str) -> bool:
    """Back to ACTIVE, by the owner, with a reason; books that a HALT froze go on where they stood."""
    if not user.is_owner:
        raise Refused("Only the owner releases.")
    if not why.strip():
        raise Refused("A release needs a reason.", fields={"reason": "say why it is safe"})
    account_id, who = None if account is None else account.pk, f"user:{user.username}"
    moved = _move(account_id, TradingMode.ACTIVE, by=who, why=why, loosen=True)
    frozen = Book.objects.filter(state=Book.State.FROZEN, freeze_kind=FROZEN_BY_HALT)
    if account_id is not None:
        frozen = frozen.filter(account_id=account_id)
    thawed = [apply.thaw(book_id, who=who, why=why) for book_id in list(frozen.values_list("pk", flat=True))]
    return moved or any(thawed)


def halt_account(account_id: int, *, why: str, by: str) -> bool:
    """Nothing more goes out for this account until the owner releases it. Called when our picture of it cannot be trusted."""
    done = _move(account_id, TradingMode.HALTED, by=by, why=why, loosen=False)
    if done:
        name = Account.objects.filter(pk=account_id).values_list("name", flat=True).first()
        alarms.ring("ACCOUNT_HALTED", f"{name} is halted: {why}", key=str(account_id), account_id=account_id)
    return done


def _move(account_id: int | None, wanted: TradingMode, *, by: str, why: str, loosen: bool) -> bool:
    """Compare-and-set until the row says `wanted` or stricter; another writer's stricter state always survives."""
    while True:
        with transaction.atomic():
            row = _row(account_id, by)
            old = TradingMode(row.state)
            if old is wanted or (not loosen and STRICTNESS[old] > STRICTNESS[wanted]):
                return False
            moved = TradingState.objects.filter(pk=row.pk, state=old.value, since=row.since).update(
                state=wanted.value, since=clock.now(), by=by[:80], why=why[:300]
            )
            if moved:
                journal.record(
                    "trading.state",
                    actor=by,
                    why=why,
                    subject="platform" if account_id is None else f"account:{account_id}",
                    moved=(old.value, wanted.value),
                    account_id=account_id,
                )
                push.push("risk", "changed")
                push.push("frame", "changed")
                return True


def _row(account_id: int | None, by: str) -> TradingState:
    row = TradingState.objects.filter(_of(account_id)).first()
    if row is not None:
        return row
    try:
        with transaction.atomic():
            return TradingState.objects.create(account_id=account_id, since=clock.now(), by=by[:80])
    except IntegrityError:
        return TradingState.objects.get(_of(account_id))
