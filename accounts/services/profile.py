"""How an account's funds are to be read. The far side is not asked anything."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from accounts.models import Account
from algomirror.ops import journal


def set_margin_profile(
    account: Account, *, collateral_included: bool, available_is_gross: bool, margin_trusted: bool, by: str
) -> None:
    wanted = {
        "collateral_included": collateral_included,
        "available_is_gross": available_is_gross,
        "margin_trusted": margin_trusted,
    }
    before = {name: getattr(account, name) for name in wanted}
    if before == wanted:
        return
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(**wanted, config_version=F("config_version") + 1)
        journal.record(
            "account.profile", actor=by, account_id=account.pk, subject=f"account:{account.name}", was=before, now=wanted
        )
