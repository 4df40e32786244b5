"""The map names things that exist."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings

from algomirror.frame.templatetags.states import badge
from trading.domain.orders import OrderState

DOCS = Path(settings.BASE_DIR) / "docs"
ROOMS = "algomirror|accounts|marketdata|trading|risk|strategies|simulator"
NAME = re.compile(rf"`((?:{ROOMS})(?:\.\w+)+)`")


def exists(dotted: str) -> bool:
    """A module, or something inside one, or something inside that."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = find_spec(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        if found is None:
            continue
        thing: object = import_module(".".join(parts[:cut]))
        for name in parts[cut:]:
            if not hasattr(thing, name):
                return False
            thing = getattr(thing, name)
        return True
    return False


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "DECISIONS.md", "WORDS.md"])
def test_every_name_in_the_map_exists(page: str) -> None:
    named = set(NAME.findall((DOCS / page).read_text()))
    assert named or page == "WORDS.md"
    assert sorted(name for name in named if not exists(name)) == []


def test_a_name_that_does_not_exist_is_noticed() -> None:
    assert not exists("trading.services.flatten.nothing")
    assert not exists("trading.services.nothing")


def test_the_words_of_order_states_are_those_of_the_pages() -> None:
    rows = re.findall(r"^\| ([A-Z_]+) \| ([a-z, ]+?)(?: 65/130)? \|", (DOCS / "WORDS.md").read_text(), re.MULTILINE)
    assert {state for state, _ in rows} == {state.value for state in OrderState}
    assert [(state, word) for state, word in rows if badge(state).word != word] == []
