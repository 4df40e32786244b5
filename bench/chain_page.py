"""What the chain page costs a browser: one tab with 41 strikes of a live demo, and whether it keeps scroll and focus."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import re
import tempfile
import time

import httpx
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from bench.figure import Figure, report
from bench.startup import Demo

NAME = "chain_page"
CHROMIUM = "/usr/bin/chromium"
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
WARM_S, MEASURED_S = 8.0, 20.0
TICK_MS = 100.0  # every strike ten times a second, so that the page's own five are what is measured
COUNT = """() => {
  const times = new Set();
  window.painted = 0;
  const seen = () => {
    times.add(Math.round(performance.now() / 50));
    window.painted = times.size;
  };
  const what = { subtree: true, childList: true, characterData: true };
  new MutationObserver(seen).observe(document.querySelector("#chain-rows"), what);
}"""


def sign_in(browser: Browser, demo: Demo) -> Page:
    found = re.search(r"password\s+(\S{19})\s*$", demo.log.read_text(), re.M)
    if found is None:
        raise RuntimeError("the demo told no password")
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(f"http://127.0.0.1:{demo.port}/login")
    page.fill("[name=username]", "demo")
    page.fill("[name=password]", found.group(1))
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/dashboard")
    return page


def quicken(demo: Demo) -> None:
    control = f"http://127.0.0.1:{demo.port + 2}/tick"
    httpx.post(control, json={"ms": TICK_MS}, timeout=5).raise_for_status()


def renderer_s(root: psutil.Process) -> float:
    """Processor seconds of the tabs' own processes so far."""
    used = 0.0
    for process in root.children(recursive=True):
        try:
            if "--type=renderer" in process.cmdline():
                used += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return used


def measure(page: Page, demo: Demo) -> tuple[float, float, bool]:
    """Share of a core in percent, repaints a second, and whether scroll and focus stayed."""
    page.goto(f"http://127.0.0.1:{demo.port}/chain?width=20")
    page.wait_for_selector("#chain-rows tr.atm")
    page.evaluate("document.querySelector('.table-box:has(.chain)').scrollTop = 120")
    page.focus("#chain-rows tr:nth-child(10) .take-buy")
    page.wait_for_timeout(WARM_S * 1000)
    page.evaluate(COUNT)
    mark = page.evaluate("document.activeElement.closest('[data-symbol]')?.dataset.symbol")
    scroll = page.evaluate("document.querySelector('.table-box:has(.chain)').scrollTop")
    root = psutil.Process()
    used, began = renderer_s(root), time.monotonic()
    page.wait_for_timeout(MEASURED_S * 1000)
    lasted = time.monotonic() - began
    share = (renderer_s(root) - used) / lasted * 100
    stayed = mark is not None and mark == page.evaluate("document.activeElement.closest('[data-symbol]')?.dataset.symbol")
    stayed = stayed and scroll == page.evaluate("document.querySelector('.table-box:has(.chain)').scrollTop")
    return share, page.evaluate("window.painted") / lasted, stayed


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="algomirror-bench-") as place:
        demo = Demo(Path(place) / "var")
        try:
            demo.wait_until_ready()
            quicken(demo)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
                share, rate, stayed = measure(sign_in(browser, demo), demo)
                browser.close()
        finally:
            demo.stop()
    return report(
        [
            Figure(NAME, "processor of the tab", round(share, 1), "% of a core", 30, "lower"),
            Figure(NAME, "repaints", round(rate, 2), "1/s", 4.5, "higher"),
            Figure(NAME, "scroll and focus kept", float(stayed), "yes = 1", 1, "higher"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
