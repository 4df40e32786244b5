"""A person without a browser: signs in, saves a strategy, previews, starts. Repeats a command with its key when the web dies."""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

import httpx

from tests.e2e.house import House
from tests.patience import PATIENCE_S, wait_for

LEG = {"action": "SELL", "lots": "1", "underlying": "NIFTY", "slot": "CURRENT_WEEK", "strike_mode": "ATM", "strike_offset": "0"}


class NotStartedError(AssertionError):
    """The plan was refused and nothing was sent: it grew too old, or the market left it behind."""


class Trader:
    def __init__(self, house: House) -> None:
        self._house = house
        self._web = httpx.Client(base_url=house.url, timeout=30)
        self._post("/login", {"username": "demo", "password": house.password})

    def _post(self, path: str, form: dict[str, Any], *, patience_s: float = 0.0) -> httpx.Response:
        """POST with a CSRF token; while `patience_s` lasts, the same request again when the web does not answer."""
        ends = time.monotonic() + patience_s
        while True:
            try:
                if "csrftoken" not in self._web.cookies:
                    self._web.get("/login")
                token = self._web.cookies["csrftoken"]
                answer = self._web.post(path, data={**form, "csrfmiddlewaretoken": token}, headers={"HX-Request": "true"})
                if answer.status_code < 500:
                    return answer
            except (httpx.HTTPError, KeyError):
                if time.monotonic() > ends:
                    raise
            if time.monotonic() > ends:
                raise AssertionError(f"POST {path}: {answer.status_code} {answer.text[:300]}")
            time.sleep(0.2)

    def save_straddle(self, name: str, *, max_loss: int, hedged: bool = False) -> int:
        """A short straddle (an iron fly when `hedged`) on all three accounts; the strategy's id."""
        legs = [{**LEG, "kind": "CE"}, {**LEG, "kind": "PE"}]
        if hedged:
            wing = {**LEG, "action": "BUY", "strike_mode": "OTM", "strike_offset": "6"}
            legs += [{**wing, "kind": "CE", "hedges": "auto"}, {**wing, "kind": "PE", "hedges": "auto"}]
        form: dict[str, Any] = {
            "name": name,
            "product": "NRML",
            "hedge_wait_s": "30",
            "accounts": ["1", "2", "3"],
            "max_loss": str(max_loss),
            "max_loss_action": "EXIT",
            "max_profit_action": "EXIT",
            "scope": "RUN",
            "blind_policy": "HOLD",
            "legs-TOTAL_FORMS": str(len(legs)),
            "legs-INITIAL_FORMS": "0",
        }
        for n, leg in enumerate(legs):
            form |= {f"legs-{n}-{field}": value for field, value in leg.items()}
        answer = self._post("/strategies/new", form)
        found = re.search(r"/strategies/(\d+)", answer.headers.get("location", "") or answer.headers.get("HX-Redirect", ""))
        assert found, f"not saved: {answer.status_code} {re.sub('<[^>]+>', ' ', answer.text)[:2000]}"
        return int(found.group(1))

    def preview(self, strategy: int) -> dict[str, str]:
        """A plan. While prices are not all there yet (something was just killed) there is none, and it is asked for again."""
        said = [""]

        def plan() -> dict[str, str]:
            answer = self._post(f"/strategies/{strategy}/preview", {}, patience_s=PATIENCE_S)
            said[0] = re.sub("<[^>]+>", " ", answer.text)[:1500]
            fields = dict(re.findall(r'name="(plan|digest)" value="([^"]+)"', answer.text))
            return fields if set(fields) == {"plan", "digest"} else {}

        return wait_for(plan, "a plan", lambda: said[0], every_s=0.5)

    def start(self, plan: dict[str, str]) -> int:
        """The run that this plan became, however often it had to be asked."""
        answer = self._post("/runs/start", {**plan, "idempotency_key": str(uuid4())}, patience_s=PATIENCE_S)
        found = re.search(r"/runs/(\d+)", answer.headers.get("HX-Redirect", ""))
        if found is None:
            raise NotStartedError(f"{answer.status_code} {re.sub('<[^>]+>', ' ', answer.text)[:1500]}")
        return int(found.group(1))
