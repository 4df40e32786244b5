"""A headless Chromium that notices what a person would: console errors, broken pages, refused content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.house import House

QUIET = [
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
]
expect.set_options(timeout=15_000)


@contextmanager
def a_page(*, width: int = 1440, height: int = 900, dark: bool = False) -> Iterator[Page]:
    """A fresh browser; on leaving, anything the console complained about fails the test."""
    complaints: list[str] = []
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", *(f"--{q}" for q in QUIET)])
        page = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        ).new_page()
        page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: complaints.append(f"script: {e}"))
        try:
            yield page
        finally:
            browser.close()
    assert not complaints, complaints


def sign_in(page: Page, house: House) -> None:
    page.goto(house.url + "/login")
    page.get_by_label("Username").fill("demo")
    page.get_by_label("Password").fill(house.password)
    page.get_by_role("button", name=re.compile("sign in", re.I)).click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
