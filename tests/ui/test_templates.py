"""Rules every template keeps, checked on the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SPRITE = (ROOT / "static" / "img" / "icons.svg").read_text()

FORBIDDEN = {
    "a style attribute or element": re.compile(r"\sstyle=|<style\b"),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)"),
    "an inline handler": re.compile(r"\son[a-z]+=|\shx-on"),
    "evaluated htmx": re.compile(r"\bjs:|hx-trigger=[\"'][^\"']*\["),
    "something from another host": re.compile(r"(?:src|href)=[\"']https?://|//cdn"),
    "hx-confirm, which a dialog replaces": re.compile(r"hx-confirm"),
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_keep_the_content_policy(template: Path) -> None:
    source = template.read_text()
    broken = [what for what, pattern in FORBIDDEN.items() if pattern.search(source)]
    assert broken == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_icons_named_in_templates_are_in_the_sprite(template: Path) -> None:
    named = re.findall(r'\{% icon "([a-z-]+)"', template.read_text()) + re.findall(r'icon="([a-z-]+)"', template.read_text())
    assert [name for name in named if f'<symbol id="{name}"' not in SPRITE] == []


@pytest.mark.parametrize("script", sorted((ROOT / "static" / "js").glob("*.js")), ids=lambda path: path.name)
def test_scripts_are_small(script: Path) -> None:
    assert len(script.read_text().splitlines()) < 200


def test_no_committed_front_end_file_names_a_registry() -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        assert "registry." not in (ROOT / name).read_text().replace("omit-lockfile-registry-resolved", "")
