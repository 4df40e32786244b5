from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from playwright.sync_api import Browser, Page, sync_playwright

from algomirror.frame.templatetags.gallery import SampleForm
from tests.ui import stage

PLAIN_STATIC = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.fixture(scope="session", autouse=True)
def _plain_static() -> Iterator[None]:
    """Pages are rendered without collectstatic."""
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": PLAIN_STATIC}):
        yield


@pytest.fixture(scope="session")
def pages() -> dict[str, tuple[str, dict[str, Any]]]:
    framed = {"frame": stage.frame()}
    return {
        "/gallery": ("frame/gallery.html", framed),
        "/": ("registration/landing.html", {"can_register": True}),
        "/login": ("registration/login.html", {"form": SampleForm()}),
        "/register": ("registration/register.html", {"form": SampleForm({})}),
        "/400": ("errors/400.html", {}),
        "/403": ("errors/403.html", framed),
        "/404": ("errors/404.html", {"frame": stage.frame("PAPER")}),
        "/429": ("errors/429.html", {"retry_after": 12}),
        "/500": ("errors/500.html", {}),
        "/csrf": ("errors/csrf.html", {"kept": [("name", "Iron condor")]}),
    }


@pytest.fixture(scope="session")
def address(_plain_static: None, pages: dict[str, tuple[str, dict[str, Any]]]) -> Iterator[str]:
    with stage.serve(pages) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = stage.launched(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = stage.patient(browser, base_url=address, viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()
