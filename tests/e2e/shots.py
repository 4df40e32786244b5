"""Screenshots of every page of a house in use, both themes and both widths: `make shots`. Also the README's picture.

With paths only those pages are shot. Every fault the walk would find is printed beside its page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

import django
from playwright.sync_api import Page, sync_playwright

from tests.e2e.house import ROOT, a_house
from tests.e2e.pages import Furnished
from tests.e2e.test_the_walk import AXE, SIZES, WHOLE, faults
from tests.ui.stage import launched

OUT = ROOT / "var" / "shots"
PICTURE = ROOT / "docs" / "img" / "chain.png"
SETTLES_MS = 400
THEMES = ("light", "dark")


def shoot(page: Page, path: str) -> list[str]:
    """Four pictures of one page; what the walk would say of it."""
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    page.goto(path, wait_until="load")
    page.wait_for_timeout(SETTLES_MS)
    page.evaluate(AXE)
    wrong: list[str] = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{beyond} px wider than {width}"] if beyond > 0 else []
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.wait_for_timeout(60)
            name = re.sub(r"\W+", "-", path).strip("-") or "landing"
            page.screenshot(path=OUT / f"{name[:60]}-{width}-{theme}.png", full_page=True)
            wrong += [f"{theme} {width}: {one}" for one in faults(page, {"runOnly": {"type": "tag", "values": WHOLE}})]
            if path.startswith("/chain") and (width, theme) == (SIZES[0][0], "light"):
                page.screenshot(path=PICTURE)
    return wrong


def shots(furnished: Furnished, wanted: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with sync_playwright() as playwright:
        browser = launched(playwright)
        context = browser.new_context(base_url=furnished.house.url, reduced_motion="reduce")
        context.add_cookies([{"name": n, "value": v, "url": furnished.house.url} for n, v in furnished.cookies.items()])
        page = context.new_page()
        for path in wanted:
            said: list[str] = []
            page.on("console", lambda m, said=said: said.append(f"{m.type}: {m.text}") if m.type == "error" else None)  # type: ignore[misc]
            found[path] = [*shoot(page, path), *said]
            sys.stdout.write(f"{path}\n" + "".join(f"  {line[:400]}\n" for line in found[path]))
            sys.stdout.flush()
        browser.close()
    return found


def main() -> None:
    # The URL map says what pages there are.
    django.setup()
    for folder in (OUT, PICTURE.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with a_house() as house:
        furnished = Furnished(house)
        shots(furnished, sys.argv[1:] or [path.removesuffix("?width=5") for path in furnished.pages()])
    sys.stdout.write(f"pictures are in {OUT}\n".replace(str(Path.cwd()) + "/", ""))


if __name__ == "__main__":
    main()
