from __future__ import annotations

from io import StringIO

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import models

OURS = ("accounts", "marketdata", "trading", "risk", "strategies", "ops")


def _ours() -> list[type[models.Model]]:
    return [m for m in apps.get_models() if m._meta.app_label in OURS]


def test_every_model_can_be_looked_at_in_the_admin() -> None:
    assert sorted(m._meta.label for m in _ours() if m not in admin.site._registry) == []


@pytest.mark.django_db
def test_the_migrations_say_what_the_models_say() -> None:
    out = StringIO()
    try:
        call_command("makemigrations", check=True, dry_run=True, stdout=out, stderr=out)
    except (SystemExit, CommandError):
        pytest.fail(out.getvalue())


def test_money_is_never_a_float_column() -> None:
    """A float may count seconds, and nothing else."""
    found = [
        f"{model._meta.label}.{field.name}"
        for model in _ours()
        for field in model._meta.get_fields()
        if isinstance(field, models.FloatField) and not field.name.endswith(("_s", "_ms"))
    ]
    assert found == []


def test_nothing_with_money_is_deleted_along_with_something_else() -> None:
    allowed = {"accounts", "marketdata", "ops"}
    found = [
        f"{model._meta.label}.{field.name}"
        for model in _ours()
        if model._meta.app_label not in allowed
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and field.remote_field.on_delete is models.CASCADE
    ]
    assert found == []
