"""Sealing everything anew under the newest key, row by row, while the product runs: both keys open meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import models

from accounts.crypto import reseal
from algomirror.ops import journal


@dataclass(slots=True)
class Rotated:
    """`moved`: a row was sealed anew by somebody else in between and is looked at again on the next run."""

    fields: int = 0
    resealed: int = 0
    fresh: int = 0
    moved: int = 0


def sealed_fields() -> Iterator[tuple[type[models.Model], str]]:
    """Every column that holds something sealed, in every room: binary, and named `sealed_…`."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.BinaryField) and field.name.startswith("sealed_"):
                yield model, field.name


def rotate(*, actor: str, only_count: bool = False) -> Rotated:
    """Seal anew what older keys hold. Raises Misconfigured when something opens with none of the keys."""
    done = Rotated()
    for model, name in sealed_fields():
        done.fields += 1
        for pk, kept in model._default_manager.values_list("pk", name):
            if not kept:
                continue
            if _is_fresh(bytes(kept)):
                done.fresh += 1
            elif only_count:
                done.resealed += 1
            else:
                anew = reseal(kept)
                won = model._default_manager.filter(pk=pk, **{name: bytes(kept)}).update(**{name: anew})
                done.resealed += won
                done.moved += 1 - won
    if not only_count:
        journal.record("keys.rotated", actor=actor, resealed=done.resealed, fresh=done.fresh, fields=done.fields)
    return done


def _is_fresh(sealed: bytes) -> bool:
    try:
        Fernet(settings.FERNET_KEYS[0]).decrypt(sealed)
    except InvalidToken:
        return False
    return True
