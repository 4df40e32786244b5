"""Protection belongs to the run: made with it, armed afresh for it, changed only with a journal row."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from algomirror.kernel.errors import Refused
from algomirror.ops import journal
from risk.domain.limits import LimitTerms, loosens
from risk.models import Blindness, GuardState, RunLimits


def arm(*, run_id: int, book_ids: Iterable[int], terms: LimitTerms) -> None:
    """Limits and waiting guards of a new run; in the transaction that makes the run, or not at all."""
    RunLimits.objects.create(
        run_id=run_id,
        max_loss=terms.max_loss,
        max_profit=terms.max_profit,
        scope=terms.scope,
        max_loss_action=terms.max_loss_action,
        max_profit_action=terms.max_profit_action,
        blind_policy=terms.blind_policy,
    )
    Blindness.objects.create(run_id=run_id)
    _make_guards(run_id, list(book_ids), terms)


def _make_guards(run_id: int, book_ids: list[int], terms: LimitTerms) -> None:
    scopes: list[int | None] = [None] if terms.scope == "RUN" else list(book_ids)
    for rule in terms.rules():
        for book_id in scopes:
            key = "run" if book_id is None else f"book:{book_id}"
            GuardState.objects.get_or_create(run_id=run_id, rule=rule.value, scope_key=key, defaults={"book_id": book_id})


def terms_of(limits: RunLimits) -> LimitTerms:
    return LimitTerms(
        max_loss=limits.max_loss,
        max_profit=limits.max_profit,
        scope="BOOK" if limits.scope == RunLimits.Scope.BOOK else "RUN",
        max_loss_action="ALERT" if limits.max_loss_action == "ALERT" else "EXIT",
        max_profit_action="ALERT" if limits.max_profit_action == "ALERT" else "EXIT",
        blind_policy="FLATTEN" if limits.blind_policy == RunLimits.Blind.FLATTEN else "HOLD",
    )


def change(run_id: int, terms: LimitTerms, *, by: str, why: str = "") -> None:
    """Other limits for a live run. Tightening is free and may trip at once; loosening needs a reason. The scope stays."""
    with transaction.atomic():
        limits = RunLimits.objects.select_related("run").filter(run_id=run_id).first()
        if limits is None or limits.run.state == "CLOSED":
            raise Refused("Limits can be changed while a run is open only.")
        old = terms_of(limits)
        if terms.scope != old.scope:
            raise Refused("The scope of limits is fixed for the life of a run.", fields={"scope": "fixed for this run"})
        if loosens(old, terms) and not why.strip():
            raise Refused("Loosening a limit needs a reason.", fields={"why": "say why it is loosened"})
        RunLimits.objects.filter(pk=limits.pk).update(
            max_loss=terms.max_loss,
            max_profit=terms.max_profit,
            max_loss_action=terms.max_loss_action,
            max_profit_action=terms.max_profit_action,
            blind_policy=terms.blind_policy,
        )
        _make_guards(run_id, list(limits.run.books.values_list("id", flat=True)), terms)
        journal.record(
            "limits.changed",
            actor=by,
            why=why,
            run_id=run_id,
            max_loss={"from": old.max_loss, "to": terms.max_loss},
            max_profit={"from": old.max_profit, "to": terms.max_profit},
            actions={
                "from": [old.max_loss_action, old.max_profit_action],
                "to": [terms.max_loss_action, terms.max_profit_action],
            },
            blind={"from": old.blind_policy, "to": terms.blind_policy},
        )
