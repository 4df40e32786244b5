"""Every field of every form, and the test that proves what it does: fields.txt. A new field without a line fails here."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from django import forms

from tests.architecture.source import ROOT

ROOMS = ("accounts", "algomirror", "marketdata", "trading", "risk", "strategies")
# What every form that sends something carries, with tests of its own.
OF_ALL = {"idempotency_key", "csrfmiddlewaretoken"}
INPUT = re.compile(r"<(?:input|select|textarea|button)\b[^>]*?\sname=\"([^\"{]+)\"")
# Shows the parts; nothing of it is sent anywhere.
GALLERY = "algomirror.frame.templatetags.gallery"


def form_fields() -> Iterator[str]:
    """ "module.Form.field" of each field, at the class that declares it."""
    for room in ROOMS:
        package = import_module(room)
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not re.search(r"\.(migrations|management|asgi)", found.name):
                import_module(found.name)
    for form in _heirs(forms.BaseForm):
        if form.__module__.split(".")[0] in ROOMS and form.__module__ != GALLERY:
            inherited = {name for parent in form.__mro__[1:] for name in getattr(parent, "base_fields", {})}
            for name in form.base_fields:
                if name not in inherited | OF_ALL:
                    yield f"{form.__module__}.{form.__qualname__}.{name}"


def _heirs(form: type[forms.BaseForm]) -> Iterator[type[forms.BaseForm]]:
    for heir in form.__subclasses__():
        yield heir
        yield from _heirs(heir)


def written_fields() -> Iterator[str]:
    """ "template:field" of the inputs that templates write themselves."""
    folder = ROOT / "templates"
    for path in sorted(folder.rglob("*.html")):
        if path.name != "gallery.html":
            for name in INPUT.findall(path.read_text()):
                if name not in OF_ALL:
                    yield f"{path.relative_to(folder)}:{name}"


def table() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (Path(__file__).parent / "fields.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            field, *tests = line.split()
            assert field not in found, f"{field} is listed twice"
            found[field] = tests
    return found


@cache
def named_tests(path: str) -> dict[str, str]:
    """The text of each test of a file."""
    text = (ROOT / "tests" / path).read_text()
    tree = ast.parse(text)
    return {
        node.name: ast.get_source_segment(text, node) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_field_names_its_test_and_no_line_is_stale() -> None:
    fields = {*form_fields(), *written_fields()}
    listed = set(table())
    assert sorted(fields - listed) == [], "these fields have no line in tests/architecture/fields.txt"
    assert sorted(listed - fields) == [], "these lines speak of fields that are gone"


@pytest.mark.parametrize("line", sorted({test for tests in table().values() for test in tests}))
def test_the_named_test_is_there(line: str) -> None:
    path, _, name = line.partition("::")
    assert name in named_tests(path), f"{path} has no test {name}"


def test_the_file_of_the_named_test_speaks_of_the_field() -> None:
    def word(field: str) -> str:
        return re.split(r"[.:]", field)[-1]

    def speaks(line: str, field: str) -> bool:
        return bool(re.search(rf"\b{re.escape(word(field))}\b", (ROOT / "tests" / line.partition("::")[0]).read_text()))

    assert [field for field, tests in table().items() if not any(speaks(line, field) for line in tests)] == []
