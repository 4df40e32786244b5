"""Which accounts the person asking may see. Rows of other accounts do not exist for them, whatever asks for the rows.

Entered by the door (middleware, token, socket); empty in every background process. A service that sums over all
accounts for a limited person, as the platform's limits want it, does so inside `whole()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ClassVar, TypeVar

from django.db import models
from django.db.models import Q

from algomirror.kernel.errors import Denied
from algomirror.ops import hooks

M = TypeVar("M", bound=models.Model)

_seen: ContextVar[frozenset[int] | None] = ContextVar("accounts_seen", default=None)


def seen() -> frozenset[int] | None:
    """Ids of the accounts; None for all."""
    return _seen.get()


def is_limited() -> bool:
    return _seen.get() is not None


def may_see(account_id: object) -> bool:
    ids = _seen.get()
    return ids is None or account_id in ids


def narrow(ids: frozenset[int] | None) -> None:
    """For the rest of the surrounding `limited_to`: a token is recognised only inside the request."""
    _seen.set(ids)


@contextmanager
def limited_to(ids: frozenset[int] | None) -> Iterator[None]:
    before = _seen.set(ids)
    try:
        yield
    finally:
        _seen.reset(before)


@contextmanager
def whole() -> Iterator[None]:
    """Everything counts here, whoever asks."""
    with limited_to(None):
        yield


def require(account_ids: Iterable[int]) -> None:
    """Denied when something is asked of an account that the person does not have."""
    ids = seen()
    if ids is not None and not set(account_ids) <= ids:
        raise Denied("NOT_PERMITTED", "This concerns an account that is not yours.")


class Sighted(models.Manager[M]):
    """A manager of rows that belong to an account. Related managers are made of its class, so the path is the class's."""

    path: ClassVar[str] = "account"

    def get_queryset(self) -> models.QuerySet[M]:
        rows, ids = super().get_queryset(), seen()
        return rows if ids is None else rows.filter(self.within(ids))

    def within(self, ids: frozenset[int]) -> Q:
        return Q(**{f"{self.path}__in": ids})


class SightedById(Sighted[M]):
    path = "pk"


class SightedByBook(Sighted[M]):
    path = "book__account"


class SightedOrHouse(Sighted[M]):
    """Rows without an account speak of the whole platform; everybody sees them."""

    def within(self, ids: frozenset[int]) -> Q:
        return super().within(ids) | Q(**{f"{self.path}__isnull": True})


class SightedByRun(Sighted[M]):
    path = "run"

    def within(self, ids: frozenset[int]) -> Q:
        return Q(**{f"{self.path}__in": hooks.call("seen_runs")})


def of_account_or_run(ids: frozenset[int]) -> Q:
    """For rows with plain numbers: of an account of theirs, or of a run of theirs as a whole."""
    return Q(account_id__in=ids) | Q(account_id=None, run_id__in=hooks.call("seen_runs"))


class SightedAlarms(Sighted[M]):
    def within(self, ids: frozenset[int]) -> Q:
        return of_account_or_run(ids) | Q(account_id=None, run_id=None)
