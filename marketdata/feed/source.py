"""Which account's server supplies the prices now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.crypto import unseal
from accounts.models import Account
from marketdata.feed.client import Endpoint
from marketdata.feed.watch import REFUSALS_BEFORE_SWITCH


def endpoint(account: Account) -> Endpoint:
    return Endpoint(account.pk, account.websocket_url, unseal(account.sealed_key))


@dataclass
class Choice:
    """Keeps one source until it fails three times in a row, leaves, or another account becomes the primary."""

    account_id: int | None = None
    version: int = 0
    primary_id: int | None = None

    def choose(self, accounts: Sequence[Account], failures: int) -> tuple[Account | None, str]:
        """The account to use, and why it differs from before ("" when it does not).

        `accounts` are the active ones, primary first, then backups. `failures` are those of the present source.
        """
        if not accounts:
            was, self.account_id = self.account_id, None
            return None, "no active account" if was is not None else ""
        primary = accounts[0]
        at = next((i for i, account in enumerate(accounts) if account.pk == self.account_id), None)
        if at is None:
            chosen, why = primary, "first source" if self.account_id is None else "the source was archived"
        elif primary.pk != self.primary_id and primary.is_primary:
            chosen, why = primary, "another account was made primary"
        elif failures >= REFUSALS_BEFORE_SWITCH and len(accounts) > 1:
            chosen, why = accounts[(at + 1) % len(accounts)], f"{failures} failures in a row"
        elif accounts[at].config_version != self.version:
            chosen, why = accounts[at], "its address or key changed"
        else:
            chosen, why = accounts[at], ""
        self.account_id, self.version, self.primary_id = chosen.pk, chosen.config_version, primary.pk
        return chosen, why
