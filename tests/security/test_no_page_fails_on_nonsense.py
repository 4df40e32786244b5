"""Every page that takes something, given what no person types: an answer, never a server error, and no row changed by a GET."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from django.test import Client

from tests.security import walk
from tests.security.test_matrix import TABLE, asked
from tests.security.walk import Route, World

pytestmark = pytest.mark.django_db
FIELDS = Path(__file__).parent.parent / "architecture" / "fields.txt"
# A digit that is no decimal; a number that no float and no context of decimals holds.
NONSENSE = {"superscript": "²", "endless": "1e999999"}
# Says 503 here: no process of the house runs.
UNREADY = "readyz"


def names() -> set[str]:
    """Every field of every form, alone and as of the first leg of a strategy."""
    first = [line.split()[0] for line in FIELDS.read_text().splitlines() if line.strip() and not line.startswith("#")]
    plain = {name.rpartition(":")[2] if ":" in name else name.rpartition(".")[2] for name in first}
    return plain | {f"legs-0-{name}" for name in plain} | {"legs-TOTAL_FORMS", "q", "page", "cursor", "days"}


def pages(method: str) -> list[Route]:
    return [route for route in walk.routes() if not route.path.startswith("/api/") and method in TABLE.get(route.name, {})]


@pytest.fixture
def world(caplog: pytest.LogCaptureFixture) -> World:
    caplog.set_level(logging.CRITICAL, "django")
    return walk.build()


@pytest.fixture
def owner(world: World) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(world.users["OWNER"])
    return client


@pytest.mark.parametrize("kind", NONSENSE)
def test_no_form_fails_on_it(world: World, owner: Client, kind: str) -> None:
    typed = dict.fromkeys(names(), NONSENSE[kind])
    failed = [r.name for r in pages("POST") if asked(owner, "POST", world.url(r), data=typed).status_code >= 500]
    assert failed == []


def test_no_question_fails_on_it(world: World, owner: Client) -> None:
    typed = dict.fromkeys(names(), "1e999999²")
    failed = [r.name for r in pages("GET") if asked(owner, "GET", world.url(r), data=typed).status_code >= 500]
    assert failed in ([], [UNREADY])


@pytest.mark.parametrize("number", [0, 2**63])
def test_no_number_in_an_address_is_too_large(world: World, owner: Client, number: int) -> None:
    failed = []
    for method in ("GET", "POST"):
        for route in pages(method):
            if any(name in route.path for name in ("<int:pk>", "_id>")):
                world_of_it = World(world.users, dict.fromkeys(world.numbers, number))
                failed += [f"{method} {route}"] if asked(owner, method, world_of_it.url(route)).status_code >= 500 else []
    assert failed == []
