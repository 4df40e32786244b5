"""The chain in a real browser on a real feed: prices move, scroll and focus stay, and the source changes under it."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from accounts.models import User
from algomirror.kernel import clock
from algomirror.ops import push
from marketdata import selectors
from marketdata.instruments import import_instruments
from tests.environment import free_port
from tests.marketdata.cast import until
from tests.marketdata.feed_stand import NIFTY, Servers, Stand, at_work, freeze, kill, shorten, thaw
from tests.simulator.conftest import ROOT
from tests.ui.stage import ARGS, CHROMIUM

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.processes,
    pytest.mark.browser,
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="the pages are another process on this very file"),
]
MEASURE = """() => {
  const bodies = new Set();
  window.painted = 0;
  new MutationObserver(() => {
    bodies.add(Math.round(performance.now() / 50));
    window.painted = bodies.size;
  }).observe(document.querySelector("#chain-rows"), { subtree: true, childList: true, characterData: true });
}"""
BOX = "document.querySelector('.table-box:has(.chain)')"
OLD = "document.querySelectorAll('#chain-facts [data-age-text], .chain [data-age-text]').length"


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # the browser's driver has a loop of its own in this thread
    shorten(monkeypatch)
    servers = Servers()
    try:
        with at_work(servers, NIFTY) as standing:
            import_instruments(standing.accounts[0].pk, actor="test")
            yield standing
    finally:
        servers.stop()


@pytest.fixture
def web() -> Iterator[str]:
    """The pages as a process of their own, on the database of this test."""
    port = free_port()
    env = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "ALGOMIRROR_VAR": str(settings.VAR_DIR),
        "DEBUG": "1",  # static files without collectstatic
    }
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "algomirror.asgi:application"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    try:
        until(answers, within_s=40, what="the pages")
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def page(stand: Stand, web: str) -> Iterator[Page]:
    signed_in = Client()
    signed_in.force_login(User.objects.get())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        context = browser.new_context(base_url=web, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": signed_in.cookies["sessionid"].value, "url": web}])
        yield context.new_page()
        browser.close()


def shows(page: Page, what: str) -> None:
    """Asked from outside: the pages' policy lets nothing evaluate text inside."""
    for _ in range(150):
        if page.evaluate(what):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never {what}")


def stays(page: Page, strike: str) -> tuple[str, float]:
    """What has the focus, and where on the screen the strike's row is."""
    row = f"[...document.querySelectorAll('#chain-rows tr')].find(r => r.querySelector('.strike a').textContent === '{strike}')"
    at: float = page.evaluate(f"{row}.getBoundingClientRect().top - {BOX}.getBoundingClientRect().top")
    return page.evaluate("document.activeElement.id"), at


def test_shots(page: Page, stand: Stand) -> None:
    from marketdata import viewing
    expiry = selectors.expiries("NIFTY", "OPT", clock.now())[2]
    key = next(k for k in viewing.chain_keys(viewing.ChainTopic("NIFTY", expiry, 2), viewing.centre("NIFTY", expiry)) if k.endswith("CE"))
    row = page
    import pathlib
    pathlib.Path("/tmp/m_shots").mkdir(exist_ok=True)
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.on("response", lambda r: errors.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    for name, url in {
        "chain": f"/chain?expiry={expiry:%Y-%m-%d}", "charts": "/charts?overlays=supertrend&overlays=ema&overlays=rsi&overlays=atr&overlays=vwap&sent=1",
        "premium": f"/charts?legs={key}:SELL:1,{key[:-2]}PE:SELL:1&sent=1&overlays=supertrend&overlays=vwap", "calendar": "/settings/calendar", "instruments": "/settings/instruments", "feeds": "/settings/feeds", "ticket": f"/ticket?exchange=NFO&symbol={key.split(':')[1]}",
    }.items():
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(url)
            page.wait_for_timeout(1500)
            page.screenshot(path=f"/tmp/m_shots/{name}-{width}.png")
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width: errors.append(f"{name} {width} overflows {wide}")
    print("ERRORS", errors)
