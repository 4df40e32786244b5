"""One socket per tab: it subscribes, comes back by itself, and then reads again what it may have missed."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.ui.stage import until

pytestmark = pytest.mark.browser


def test_it_subscribes_to_the_topics_of_the_page(page: Page) -> None:
    heard: list[dict[str, str]] = []
    page.route_web_socket("**/ws", lambda socket: socket.on_message(lambda text: heard.append(json.loads(text))))
    page.goto("/gallery")
    expect(page.locator("[data-socket-word]")).to_have_text("pushed live")
    for topic in ("market", "chain:NIFTY:2026-12-01:20"):
        until(page, lambda topic=topic: {"op": "subscribe", "topic": topic} in heard, f"{topic} to be asked for")  # type: ignore[misc]


def test_it_reconnects_and_reads_again_what_it_may_have_missed(page: Page) -> None:
    opened: list[WebSocketRoute] = []

    def accept(socket: WebSocketRoute) -> None:
        opened.append(socket)
        socket.on_message(lambda text: None)

    page.route_web_socket("**/ws", accept)
    page.goto("/gallery")
    expect(page.locator("[data-socket-word]")).to_have_text("pushed live")
    page.evaluate(
        """() => { window.reads = 0; window.words = [];
          document.body.addEventListener('am:orders', () => { window.reads += 1; });
          const word = document.querySelector('[data-socket-word]');
          new MutationObserver(() => window.words.push(word.textContent)).observe(word, {childList: true}); }"""
    )
    opened[0].close()
    until(page, lambda: "pushed live" in page.evaluate("window.words"), "the socket to come back")
    assert page.evaluate("window.words")[0] == "connecting"
    assert len(opened) == 2
    assert page.evaluate("window.reads") == 1


def test_it_says_so_when_the_stream_is_down(page: Page) -> None:
    page.route_web_socket("**/ws", lambda socket: socket.close())
    page.goto("/gallery")
    expect(page.locator("[data-socket-note]")).to_be_visible()


def test_topics_of_a_removed_fragment_are_left(page: Page) -> None:
    heard: list[dict[str, str]] = []
    page.route_web_socket("**/ws", lambda socket: socket.on_message(lambda text: heard.append(json.loads(text))))
    page.goto("/gallery")
    expect(page.locator("[data-socket-word]")).to_have_text("pushed live")
    page.evaluate(
        """() => { const more = document.createElement('div'); more.id = 'more-topics'; more.dataset.topics = 'run:99';
          document.body.append(more); htmx.trigger(document.body, 'htmx:afterSettle'); more.remove();
          htmx.trigger(document.body, 'htmx:afterSettle'); }"""
    )
    until(page, lambda: {"op": "unsubscribe", "topic": "run:99"} in heard, "the topic to be left")
    assert [one for one in heard if one.get("topic") == "run:99"] == [
        {"op": "subscribe", "topic": "run:99"},
        {"op": "unsubscribe", "topic": "run:99"},
    ]
