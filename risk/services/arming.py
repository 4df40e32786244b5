"""Protection belongs to the run: made with it, armed afresh for it, changed only with a journal row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from algomirror.kernel.errors import Refused
from algomirror.ops import journal
from algomirror.ops.prepared import Prepared, insert_named, will_insert
from risk.domain.limits import LimitTerms, loosens, posts
from risk.domain.terms import NO_STRUCTURE, Structure, faults, row_of, structure_of
from risk.domain.terms import terms_of as more_of
from risk.models import Blindness, GuardState, RunLimits

will_insert(RunLimits, Blindness)
will_insert(GuardState, unless_there=True)
_guards_of = Prepared(lambda run: GuardState.objects.filter(run_id=run).values_list("rule", "scope_key"))


def arm(*, run_id: int, book_ids: Iterable[int], terms: LimitTerms, structure: Structure = NO_STRUCTURE) -> None:
    """Limits and waiting guards of a new run; in the transaction that makes the run, or not at all."""
    limits = {"run_id": run_id, "structure": row_of(structure), **_columns(terms), "scope": terms.scope}
    insert_named(RunLimits, [limits])
    insert_named(Blindness, [{"run_id": run_id}])
    _make_guards(run_id, list(book_ids), terms, structure)


def _columns(terms: LimitTerms) -> dict[str, Any]:
    return {
        "max_loss": terms.max_loss,
        "max_profit": terms.max_profit,
        "max_loss_action": terms.max_loss_action,
        "max_profit_action": terms.max_profit_action,
        "blind_policy": terms.blind_policy,
        "terms": row_of(terms.more),
    }


def _make_guards(run_id: int, book_ids: list[int], terms: LimitTerms, structure: Structure) -> None:
    known = set(_guards_of(run_id))
    guards = [
        {"run_id": run_id, "rule": post.rule.value, "scope_key": post.key, "book_id": post.book_id, "leg": post.leg}
        for post in posts(terms, book_ids, structure)
        if (post.rule.value, post.key) not in known
    ]
    insert_named(GuardState, guards, unless_there=True)


def terms_of(limits: RunLimits) -> LimitTerms:
    return LimitTerms(
        max_loss=limits.max_loss,
        max_profit=limits.max_profit,
        scope="BOOK" if limits.scope == RunLimits.Scope.BOOK else "RUN",
        max_loss_action="ALERT" if limits.max_loss_action == "ALERT" else "EXIT",
        max_profit_action="ALERT" if limits.max_profit_action == "ALERT" else "EXIT",
        blind_policy="FLATTEN" if limits.blind_policy == RunLimits.Blind.FLATTEN else "HOLD",
        more=more_of(limits.terms),
    )


def change(run_id: int, terms: LimitTerms, *, by: str, why: str = "") -> None:
    """Other limits for a live run. Tightening is free and may trip at once; loosening needs a reason. The scope stays."""
    wrong = faults(terms.more, has_max_loss=terms.has_hard_stop)
    if wrong:
        raise Refused("The limits were not changed.", fields=wrong)
    with transaction.atomic():
        limits = RunLimits.objects.select_related("run").filter(run_id=run_id).first()
        if limits is None or limits.run.state == "CLOSED":
            raise Refused("Limits can be changed while a run is open only.")
        old = terms_of(limits)
        if terms.scope != old.scope:
            raise Refused("The scope of limits is fixed for the life of a run.", fields={"scope": "fixed for this run"})
        structure = structure_of(limits.structure)
        if (terms.more.underlying_below or terms.more.underlying_above) and not structure.underlying:
            words = "the legs are of several underlyings"
            raise Refused("An index level needs legs of one underlying.", fields={"underlying_below": words})
        if loosens(old, terms) and not why.strip():
            raise Refused("Loosening a limit needs a reason.", fields={"why": "say why it is loosened"})
        RunLimits.objects.filter(pk=limits.pk).update(**_columns(terms))
        books = list(limits.run.books.values_list("id", flat=True))
        _make_guards(run_id, books, terms, structure)
        _tell(run_id, old, terms, by=by, why=why)


def _tell(run_id: int, old: LimitTerms, new: LimitTerms, *, by: str, why: str) -> None:
    before, after = row_of(old.more), row_of(new.more)
    journal.record(
        "limits.changed",
        actor=by,
        why=why,
        run_id=run_id,
        max_loss={"from": old.max_loss, "to": new.max_loss},
        max_profit={"from": old.max_profit, "to": new.max_profit},
        actions={"from": [old.max_loss_action, old.max_profit_action], "to": [new.max_loss_action, new.max_profit_action]},
        blind={"from": old.blind_policy, "to": new.blind_policy},
        more={
            name: {"from": before.get(name), "to": after.get(name)}
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        },
    )
