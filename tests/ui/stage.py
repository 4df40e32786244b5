"""Renders pages with a made-up frame and serves them with the product's CSP, without a database."""

from __future__ import annotations

import mimetypes
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import get_template
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from algomirror.kernel import clock
from tests.patience import PATIENCE_MS, PATIENCE_S

expect.set_options(timeout=PATIENCE_MS)

CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAV = [
    ("/dashboard", "Dashboard", "dashboard"),
    ("/chain", "Option chain", "chain"),
    ("/strategies", "Strategies", "strategies"),
    ("/runs", "Runs", "runs"),
    ("/positions", "Positions", "positions"),
    ("/orders", "Orders", "orders"),
    ("/trades", "Trades", "trades"),
    ("/holdings", "Holdings", "holdings"),
    ("/funds", "Funds and margin", "funds"),
    ("/risk", "Risk", "risk"),
    ("/reconciliation", "Reconcile", "reconcile"),
    ("/analytics", "Analytics", "analytics"),
    ("/alerts", "Alerts", "alerts"),
    ("/accounts", "Accounts", "accounts"),
    ("/activity", "Activity", "activity"),
    ("/settings", "Settings", "settings"),
]
CSP = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'; form-action 'self'"


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)


def patient(browser: Browser, **options: Any) -> BrowserContext:
    """A fresh profile that waits as long as everybody here."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    return context


def until(page: Page, met: Callable[[], Any], what: str) -> None:
    """Wait for what arrives here from the page: while the page is waited for, its messages and requests are taken."""
    ends = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < ends, f"waited for {what}"
        page.wait_for_timeout(20)


def frame(world: str = "MIXED") -> dict[str, Any]:
    now_ms = int(clock.now().timestamp() * 1000)
    rows = (
        ("NIFTY", "26012.40", "104.35", "0.40"),
        ("BANKNIFTY", "58210.05", "-312.60", "-0.53"),
        ("SENSEX", "85044.10", "0", "0"),
    )
    return {
        "market": [{"exchange": "NFO", "label": "Open until 15:40", "open": True}],
        "indices": [
            {
                "symbol": symbol,
                "exchange": "NSE_INDEX",
                "key": f"NSE_INDEX:{symbol}",
                "ltp": Decimal(ltp),
                "change": Decimal(change),
                "change_percent": Decimal(share),
                "received_ms": now_ms,
            }
            for symbol, ltp, change, share in rows
        ],
        "feed": {"state": "live", "source": "Zerodha Anil", "age_s": 0, "received_ms": now_ms},
        "links": {"up": 3, "total": 3},
        "pnl_today": Decimal("12345.50"),
        "engine": {"state": "live", "age_s": 1},
        "world": world,
        "alarms": 2,
        "nav": [{"url": url, "label": label, "icon": icon, "active": url == "/dashboard"} for url, label, icon in NAV],
        "version": "0.1.0",
        "kill_scopes": [
            {"value": "platform", "label": "Everything, all accounts"},
            {"value": "account:1", "label": "Zerodha Anil"},
        ],
    }


def render(template: str, context: dict[str, Any] | None = None) -> str:
    return get_template(template).render({"csrf_token": "token", **(context or {})})


class _Handler(BaseHTTPRequestHandler):
    pages: dict[str, tuple[str, dict[str, Any]]]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/static/"):
            self._file(Path(settings.BASE_DIR) / path.lstrip("/"))
        elif path in self.pages:
            template, context = self.pages[path]
            self._send(200, render(template, context).encode(), "text/html; charset=utf-8")
        elif path == "/blank":
            self._send(200, b"<!doctype html><title>blank</title><body></body>", "text/html")
        else:
            self._send(404, b"", "text/plain")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._send(200, b"<p>Done.</p>", "text/html")

    def _file(self, path: Path) -> None:
        if not path.is_file():
            self._send(404, b"", "text/plain")
            return
        self._send(200, path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", CSP)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


@contextmanager
def serve(pages: dict[str, tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """The address of a server that answers with these templates."""
    handler = type("Handler", (_Handler,), {"pages": pages})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
