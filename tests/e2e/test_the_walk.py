"""Every page of a house in use, on a laptop and a phone, by day and by night: nothing broken, cut off or unreadable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.e2e.house import a_house
from tests.e2e.pages import Furnished
from tests.ui.stage import ARGS, CHROMIUM

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.timeout(300)]

AXE = (Path(__file__).parent.parent / "ui" / "vendor" / "axe.min.js").read_text()
WHOLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# By night only colours differ, and what is said of them.
BY_NIGHT = ["color-contrast", "link-in-text-block"]
SIZES = ((1440, 900), (390, 844))


@pytest.fixture(scope="module")
def furnished() -> Iterator[Furnished]:
    with a_house() as house:
        yield Furnished(house)


@pytest.fixture(scope="module")
def tab(furnished: Furnished) -> Iterator[tuple[Page, list[str]]]:
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        context = browser.new_context(base_url=furnished.house.url, reduced_motion="reduce")
        context.add_cookies([{"name": n, "value": v, "url": furnished.house.url} for n, v in furnished.cookies.items()])
        page = context.new_page()
        page.on("console", lambda m: said.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: said.append(f"script: {e}"))
        yield page, said
        browser.close()


def faults(page: Page, rules: dict[str, Any]) -> list[str]:
    found: list[dict[str, Any]] = page.evaluate("async (rules) => (await axe.run(document, rules)).violations", rules)
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"][:3]]


def look_at(page: Page, path: str) -> list[str]:
    """What is wrong with this page in any width and theme."""
    wrong: list[str] = []
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    page.emulate_media(color_scheme="light")
    page.goto(path, wait_until="load")
    page.evaluate(AXE)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{beyond} px wider than {width}"] if beyond > 0 else []
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            rules = {"type": "tag", "values": WHOLE} if theme == "light" else {"type": "rule", "values": BY_NIGHT}
            wrong += [f"{theme} {width}: {one}" for one in faults(page, {"runOnly": rules, "resultTypes": ["violations"]})]
    return wrong


def test_no_page_is_broken_cut_off_or_unreadable(furnished: Furnished, tab: tuple[Page, list[str]]) -> None:
    page, said = tab
    wrong: dict[str, list[str]] = {}
    for path in (pages := list(furnished.pages())):
        said.clear()
        found = look_at(page, path)
        loud = [one for one in said if not (path == "/no-such-page" and "404" in one)]
        if found or loud:
            wrong[path] = [*found, *loud]
    assert not wrong, "\n".join(f"{path}\n  " + "\n  ".join(lines) for path, lines in wrong.items())
    assert len(pages) > 45
