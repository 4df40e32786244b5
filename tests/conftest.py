from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings

from algomirror.ops import queue

# How long an example takes says what the machine does besides.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """SQLite empties tables by DELETE after a test with real transactions, which the journal's trigger would refuse.

    tests/ops/test_journal.py puts the trigger back and proves it. PostgreSQL truncates, so its trigger stays.
    """
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("DROP TRIGGER IF EXISTS ops_journal_no_delete")
                cursor.execute("DROP TRIGGER IF EXISTS ops_journalseal_no_delete")
                cursor.execute("DROP TRIGGER IF EXISTS ops_journalcheckpoint_no_delete")


@pytest.fixture(scope="session", autouse=True)
def _cheap_where_nothing_is_proven_by_it() -> Iterator[None]:
    """Pages are rendered without `collectstatic`; Argon2 costs what it should, a quarter of a second for every user made."""
    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(STORAGES={**settings.STORAGES, **plain}, PASSWORD_HASHERS=hashers):
        yield


@pytest.fixture
def journal_is_guarded(db: None) -> Iterator[None]:
    """The triggers against deleting, as a migrated installation has them."""
    if connection.vendor == "sqlite":
        migration = import_module("algomirror.ops.migrations.0009_old_rows_may_be_let_go")
        with connection.cursor() as cursor:
            for statement in migration.SQLITE:
                if "no_delete BEFORE" in statement:
                    cursor.execute(statement)
    yield


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    """Each test begins with an empty Redis of its own process."""
    queue.client().flushdb()


@pytest.fixture(autouse=True)
def _forget_calendar() -> None:
    """Trading hours that a process holds for a second must not outlive the test that made them."""
    from marketdata import calendar

    calendar.forget()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: "test_order_machine" not in item.nodeid)
