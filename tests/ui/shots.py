"""Screenshots in both themes and both widths: python -m tests.ui.shots [--base URL --cookie sessionid=…] [path …].

Without --base the component gallery and the pages before sign-in are drawn from made-up data.
"""

from __future__ import annotations

import argparse
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import django

SIZES = ((1440, 900), (390, 844))


def staged() -> Any:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "algomirror.settings")
    from django.conf import settings

    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    django.setup()
    from tests.ui import stage

    framed = {"frame": stage.frame()}
    return stage.serve(
        {
            "/gallery": ("frame/gallery.html", framed),
            "/": ("registration/landing.html", {"can_register": True}),
            "/404": ("errors/404.html", framed),
            "/500": ("errors/500.html", {}),
        }
    )


def main() -> None:
    from playwright.sync_api import sync_playwright

    from tests.ui.stage import launched

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base")
    parser.add_argument("--cookie", help="name=value of a signed-in session")
    parser.add_argument("--out", default="var/shots")
    parser.add_argument("paths", nargs="*", default=["/gallery"])
    given = parser.parse_args()
    out = Path(given.out)
    out.mkdir(parents=True, exist_ok=True)
    with nullcontext(given.base) if given.base else staged() as base, sync_playwright() as playwright:
        browser = launched(playwright)
        for theme in ("light", "dark"):
            for width, height in SIZES:
                context = browser.new_context(
                    base_url=base, viewport={"width": width, "height": height}, color_scheme=cast(Any, theme)
                )
                if given.cookie:
                    name, _, value = given.cookie.partition("=")
                    context.add_cookies([{"name": name, "value": value, "url": base}])
                page = context.new_page()
                for path in given.paths:
                    page.goto(path)
                    page.wait_for_timeout(700)
                    name = path.strip("/").replace("/", "-") or "landing"
                    page.screenshot(path=out / f"{name}-{theme}-{width}.png", full_page=True)
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
