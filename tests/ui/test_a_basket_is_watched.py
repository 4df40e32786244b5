"""What somebody is about to trade ticks, also when its expiry is not the one of the chain on the page."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.ui.stage import until

pytestmark = pytest.mark.browser

CALL = "NFO:NIFTY01DEC2626000CE"


def test_legs_in_the_tray_are_subscribed_while_they_are_there_and_their_prices_move(page: Page) -> None:
    heard: list[dict[str, str]] = []
    sockets: list[WebSocketRoute] = []

    def accept(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.on_message(lambda text: heard.append(json.loads(text)))

    page.route_web_socket("**/ws", accept)
    page.goto("/gallery")
    expect(page.locator("[data-socket-word]")).to_have_text("pushed live")
    page.get_by_role("button", name="Sell 26000 CE at").click()
    price = page.locator(f"[data-basket-legs] [data-quote='{CALL}']")
    expect(price).to_have_text("–")
    tick = {"topic": f"symbols:{CALL}", "at": "2026-11-20T05:00:00+00:00", "kind": "ticks", "q": {CALL: {"l": "104.25", "t": 1}}}
    sockets[0].send(json.dumps(tick))
    expect(price).to_have_text("104.25")
    page.locator("[data-basket-clear]").click()

    def ours() -> list[str]:
        return [one["op"] for one in heard if one.get("topic") == f"symbols:{CALL}"]

    until(page, lambda: "unsubscribe" in ours(), "the basket to let go of its leg")
    assert ours() == ["subscribe", "unsubscribe"]
    assert all("," not in one.get("topic", "") for one in heard)
