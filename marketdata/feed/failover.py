"""Which account's server supplies the prices. Facts in, a move out; only health and the owner cause one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from accounts.models import Account
from marketdata.feed.watch import REFUSALS_BEFORE_SWITCH

ENGINE = "engine:feed"
_ILL = (Account.Link.DOWN, Account.Link.REFUSED)


@dataclass(frozen=True, slots=True)
class Pace:
    """Waits in seconds."""

    fail_back_s: float = 600.0  # the primary ticks so long without a gap before it is taken again
    failed_kept_s: float = 60.0  # a source that failed is not taken again so soon while another is left
    spread_s: float = 30.0  # with every source failed, the next is tried no more often


@dataclass(frozen=True, slots=True)
class Facts:
    """`failures` in a row of the present source; `error` is its last one. `is_needed`: a session runs or is near."""

    failures: int = 0
    error: str = ""
    is_needed: bool = True
    primary_healthy_s: float = 0.0
    is_entering: bool = False
    pinned_id: int | None = None
    pinned_by: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """`is_switch` False: the same account at a new address. `unpin`: a person's choice failed and no longer holds."""

    account: Account | None
    why: str
    by: str = ENGINE
    is_switch: bool = True
    is_failure: bool = False
    unpin: bool = False


@dataclass
class Failover:
    """Keeps one source until it fails, leaves, is replaced by hand, or the primary has been well again for long."""

    pace: Pace = Pace()
    account_id: int | None = None
    version: int = 0
    primary_id: int | None = None
    is_exhausted: bool = False
    _pinned_id: int | None = None
    _moved_at: float = float("-inf")
    _failed_at: dict[int, float] = field(default_factory=dict)

    def decide(self, accounts: Sequence[Account], facts: Facts, now: float) -> Move | None:
        """`accounts` are the active ones, primary first, then backups in order. None: stay."""
        move = self._decide(accounts, facts, now)
        self._pinned_id = None if move is not None and move.unpin else facts.pinned_id
        if accounts and accounts[0].is_primary:
            self.primary_id = accounts[0].pk
        if move is None:
            return None
        if move.account is None or move.account.pk != self.account_id:
            self._moved_at = now
        self.account_id = move.account.pk if move.account else None
        self.version = move.account.config_version if move.account else 0
        return move

    def recovered(self) -> None:
        """The present source delivers."""
        self.is_exhausted = False
        if self.account_id is not None:
            self._failed_at.pop(self.account_id, None)

    def _decide(self, accounts: Sequence[Account], facts: Facts, now: float) -> Move | None:
        if not accounts:
            return Move(None, "no active account") if self.account_id is not None else None
        present = next((account for account in accounts if account.pk == self.account_id), None)
        pinned = next((account for account in accounts if account.pk == facts.pinned_id), None)
        primary = accounts[0]
        if present is None:
            return Move(pinned or primary, "first source" if self.account_id is None else "the source was archived")
        if pinned is not None and pinned.pk != self._pinned_id and pinned.pk != present.pk:
            return Move(pinned, "chosen by hand", by=facts.pinned_by)
        if primary.is_primary and primary.pk != self.primary_id and pinned is None and primary.pk != present.pk:
            return Move(primary, "another account was made primary")
        if present.config_version != self.version:
            return Move(present, "its address or key changed", is_switch=False)
        if facts.failures >= REFUSALS_BEFORE_SWITCH and facts.is_needed:
            return self._leave(present, accounts, facts, now)
        if self._may_fail_back(present, primary, facts):
            return Move(primary, f"the primary has been well for {facts.primary_healthy_s / 60:.0f} min")
        return None

    def _leave(self, present: Account, accounts: Sequence[Account], facts: Facts, now: float) -> Move | None:
        self._failed_at[present.pk] = now
        others = [account for account in accounts if account.pk != present.pk]
        rested = [account for account in others if now - self._failed_at.get(account.pk, float("-inf")) > self.pace.failed_kept_s]
        unpin = facts.pinned_id == present.pk
        if rested:
            best = min(rested, key=lambda account: account.link in _ILL)
            return Move(best, f"{facts.failures} failures in a row: {facts.error}"[:200], is_failure=True, unpin=unpin)
        self.is_exhausted = True
        if others and now - self._moved_at >= self.pace.spread_s:
            oldest = min(others, key=lambda account: self._failed_at[account.pk])
            return Move(oldest, "every source failed, trying the next", is_failure=True, unpin=unpin)
        return None

    def _may_fail_back(self, present: Account, primary: Account, facts: Facts) -> bool:
        return (
            primary.is_primary
            and present.pk != primary.pk
            and facts.pinned_id is None
            and not facts.is_entering
            and facts.primary_healthy_s >= self.pace.fail_back_s
        )
