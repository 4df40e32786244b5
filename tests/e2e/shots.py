"""Screenshots of every page of a running demo, both themes and both widths: `make shots`. Also the README's picture."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.e2e.browser import a_page, sign_in
from tests.e2e.house import ROOT, House, a_house, wait_for
from tests.e2e.trader import Trader

OUT = ROOT / "var" / "shots"
PICTURE = ROOT / "docs" / "img" / "chain.png"
PAGES = (
    "/dashboard",
    "/chain",
    "/strategies",
    "/strategies/new",
    "/runs",
    "/runs/1",
    "/ticket",
    "/positions",
    "/orders",
    "/trades",
    "/risk",
    "/risk/kill",
    "/alerts",
    "/accounts",
    "/accounts/new",
)
SIZES = ((1440, 900), (390, 844))


def open_a_run(house: House) -> None:
    trader = Trader(house)
    strategy = trader.save_straddle("Iron fly", max_loss=9000, hedged=True)
    run = trader.start(trader.preview(strategy))
    wait_for(lambda: house.one("select state from trading_run where id=?", run) == "OPEN", 30, "a run to show", house.tail)


def shoot(house: House, pages: tuple[str, ...]) -> list[Path]:
    made: list[Path] = []
    for width, height in SIZES:
        for dark in (False, True):
            with a_page(width=width, height=height, dark=dark) as page:
                sign_in(page, house)
                for path in pages:
                    page.goto(house.url + path)
                    page.wait_for_timeout(1200)
                    name = re.sub(r"\W+", "-", path).strip("-") or "landing"
                    file = OUT / f"{name}-{width}{'-dark' if dark else ''}.png"
                    page.screenshot(path=file, full_page=True)
                    made.append(file)
                    if path == "/chain" and width == SIZES[0][0] and not dark:
                        page.screenshot(path=PICTURE)
    return made


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with a_house() as house:
        open_a_run(house)
        for file in shoot(house, tuple(sys.argv[1:]) or PAGES):
            sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
