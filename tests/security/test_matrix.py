"""Who may do what, for every route of the URL map. A new route belongs into routes.txt before anything passes."""

from __future__ import annotations

import logging
import re
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve, reverse

from accounts.models import User
from algomirror.ops import queue
from tests.security import walk
from tests.security.walk import Route, World

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
UNSAFE = METHODS[1:]
ROLES: tuple[str | None, ...] = ("OWNER", "TRADER", "RISK", "VIEWER", None)
ENTITLED: dict[str, tuple[str | None, ...]] = {
    "PUBLIC": ROLES,
    "LOOK": ROLES[:4],
    "REDUCE": ROLES[:3],
    "TRADE": ROLES[:2],
    "OWNER": ROLES[:1],
    "SECRET": (),
}

# Gaps that are known, by route. Each is said here or it fails.
NOT_IN_THIS_WORLD = {"webhook"}  # walk.build makes none, so the answer is 404 before the role counts


def table() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in (Path(__file__).parent / "routes.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, *rest = line.split()
            assert name not in found, f"{name} is listed twice"
            found[name] = dict(zip(rest[::2], rest[1::2], strict=True))
    return found


TABLE = table()


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand refusals are expected here."""
    caplog.set_level(logging.CRITICAL, "django")


@pytest.fixture
def world() -> World:
    return walk.build()


def asked(client: Client, method: str, url: str, **more: Any) -> HttpResponse:
    """The answer; what it wrote is undone, and no limit remembers it."""
    queue.client().flushdb()
    cookies = copy(client.cookies)  # signing out is undone too
    answer: list[HttpResponse] = []
    undone = transaction.atomic()
    undone._from_testcase = True  # the gateway refuses the wire inside any other
    try:
        with undone:
            answer.append(getattr(client, method.lower())(url, **more))
            raise _Undone
    except _Undone:
        client.cookies = cookies
        return answer[0]


class _Undone(Exception):
    pass


def is_turned_away(answer: HttpResponse) -> bool:
    gate = answer.status_code == 302 and answer.headers["Location"].startswith(("/login?", "/admin/login"))
    return gate or answer.status_code in (401, 403)


def fault(route: Route, method: str, role: str | None, answer: HttpResponse) -> str:
    """What is wrong with this answer, or ""."""
    level = TABLE[route.name].get(method)
    said = f"{method} {route.path} as {role or 'nobody'}: {answer.status_code}"
    if answer.status_code >= 500 and answer.status_code != 503:
        return said
    if level is None:
        return "" if is_turned_away(answer) or answer.status_code in (404, 405) else f"{said}, but no such method is listed"
    if role in ENTITLED[level]:
        return f"{said}, but {level} may" if is_turned_away(answer) or answer.status_code == 405 else ""
    if answer.status_code == 404 and route.name in NOT_IN_THIS_WORLD:
        return ""
    return "" if is_turned_away(answer) else f"{said}, but only {level} may"


def test_every_route_is_listed_and_every_listed_route_exists() -> None:
    names = [route.name for route in walk.routes()]
    assert sorted({n for n in names if names.count(n) > 1}) == []
    assert (sorted(set(names) - set(TABLE)), sorted(set(TABLE) - set(names))) == ([], [])


def test_no_route_hides_behind_another(world: World) -> None:
    found = [(route.name, resolve(world.url(route)).url_name) for route in walk.routes()]
    assert [pair for pair in found if pair[0] != pair[1]] == []


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_what_it_may_and_nothing_else(world: World, role: str | None) -> None:
    client = walk.browser(None if role is None else world.users[role])
    wrong = [
        said
        for route in walk.routes()
        if route.name in TABLE
        for method in METHODS
        if method in ("GET", "POST") or method in TABLE[route.name] or route.path.startswith("/api/")
        if (said := fault(route, method, role, asked(client, method, world.url(route))))
    ]
    assert wrong == []


def test_every_unsafe_request_needs_its_token(world: World) -> None:
    """The safety code, or on the API an Authorization header, which no foreign page can send."""
    signed_in = walk.browser(world.users["OWNER"], checks_csrf=True)
    stranger = walk.browser(None, checks_csrf=True)
    wrong = []
    for route in walk.routes():
        for method, level in TABLE.get(route.name, {}).items():
            if method in UNSAFE and level != "SECRET":
                client = stranger if level == "PUBLIC" else signed_in
                answer = asked(client, method, world.url(route))
                if answer.status_code != 403:
                    wrong.append(f"{method} {route.path}: {answer.status_code}")
    assert wrong == []


@pytest.mark.parametrize("role", ["OWNER", "VIEWER"])
def test_no_get_changes_the_database(world: World, role: str) -> None:
    client = walk.browser(world.users[role])
    wrong = []
    for route in walk.routes():
        queue.client().flushdb()
        answer, written = walk.written_by(partial(client.get, world.url(route)))
        if getattr(answer, "streaming", False):
            b"".join(answer)
        wrong += [f"{route.path}: {sql}" for sql in written]
    assert wrong == []


def _admin_urls() -> list[str]:
    found = [reverse("admin:index")]
    for model in admin.site._registry:
        names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        first = model._default_manager.values_list("pk", flat=True).first()
        found += [reverse(f"{names}_changelist"), reverse(f"{names}_add")]
        if first is not None:
            found += [reverse(f"{names}_{act}", args=[first]) for act in ("change", "delete", "history")]
    return found


@pytest.mark.parametrize("role", ROLES[1:])
def test_only_the_owner_sees_the_admin(world: World, role: str | None) -> None:
    client = walk.browser(None if role is None else world.users[role])
    assert [url for url in _admin_urls() if not is_turned_away(client.get(url))] == []


def test_the_admin_answers_its_owner_and_reading_changes_nothing(world: World) -> None:
    client = walk.browser(world.users["OWNER"])
    wrong = []
    for url in _admin_urls():
        answer, written = walk.written_by(partial(client.get, url))
        if answer.status_code >= 500 or written:
            wrong.append((url, answer.status_code, written))
    assert wrong == []


def test_roles_are_what_the_table_speaks_of() -> None:
    assert set(ROLES) - {None} == set(User.Role.values)
    assert {level for row in TABLE.values() for level in row.values()} <= set(ENTITLED)
    assert {method for row in TABLE.values() for method in row} <= set(METHODS)
    assert all(re.fullmatch(r"[\w-]+", name) for name in TABLE)
