"""A headless Chromium that notices what a person would: console errors, broken pages, refused content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.house import House
from tests.ui.stage import launched, patient


@contextmanager
def a_page(*, width: int = 1440, height: int = 900, dark: bool = False, refused: int = 0) -> Iterator[Page]:
    """A fresh browser; on leaving, anything the console complained about fails the test, but for so many `refused` forms."""
    complaints: list[str] = []
    with sync_playwright() as p:
        browser = launched(p)
        look: dict[str, Any] = {"color_scheme": "dark" if dark else "light", "reduced_motion": "reduce"}
        page = patient(browser, viewport={"width": width, "height": height}, **look).new_page()
        page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: complaints.append(f"script: {e}"))
        try:
            yield page
        finally:
            browser.close()
    forms = [said for said in complaints if "status of 422" in said]
    assert len(complaints) == len(forms) == refused, complaints


def sign_in(page: Page, house: House) -> None:
    page.goto(house.url + "/login")
    page.get_by_label("Username").fill("demo")
    page.get_by_label("Password").fill(house.password)
    page.get_by_role("button", name=re.compile("sign in", re.I)).click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
