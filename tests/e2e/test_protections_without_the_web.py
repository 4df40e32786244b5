"""Runs are started, the web process is killed and never asked again, prices move: every protection fires by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.house import House, a_house
from tests.e2e.trader import Trader
from tests.patience import wait_for

pytestmark = pytest.mark.processes
ACCOUNTS = (1, 2, 3)


class Careful(Trader):
    """A trader who gives a strategy more than a max loss."""

    more: dict[str, str]

    def _post(self, path: str, form: dict[str, Any], **options: Any) -> httpx.Response:
        return super()._post(path, {**form, **(self.more if path == "/strategies/new" else {})}, **options)

    def run(self, house: House, name: str, **more: str) -> int:
        self.more = more
        run_id = self.start(self.preview(self.save_straddle(name, max_loss=400_000)))
        wait_for(lambda: house.one("select state from trading_run where id=?", run_id) == "OPEN", f"{name} open", house.tail)
        return run_id


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as running:
        yield running


def test_every_protection_fires_with_no_web(house: House) -> None:
    trader = Careful(house)
    runs = {
        "TRAILING_STOP": trader.run(house, "Trails", trail_value="20000", trail_kind="AMOUNT"),
        "PREMIUM_STOP": trader.run(house, "Premium", premium_stop="30%"),
        "LEG_STOP": trader.run(house, "Legs", leg1_stop="40%"),
    }
    open_units = {n: house.broker_net(n) for n in ACCOUNTS}
    # Three straddles, of one strike or of two neighbours, as the index stood when each was made.
    assert all(sum(net.values()) == -6 * 65 and max(net.values()) < 0 for net in open_units.values())
    house.kill("web")

    house.shock("NIFTY", 3)

    def fired() -> bool:
        seen = set(house.sql("select kind, run_id from risk_riskevent where action='EXIT'"))
        return set(runs.items()) <= seen

    wait_for(fired, "every protection to fire", house.tail)
    whole = (runs["TRAILING_STOP"], runs["PREMIUM_STOP"])
    for run_id in whole:
        wait_for(
            lambda run_id=run_id: house.one("select state from trading_run where id=?", run_id) == "CLOSED",  # type: ignore[misc]
            "the run to close",
            house.tail,
        )
    # The leg stop closed one leg in every account and left the other alone.
    wait_for(lambda: all(len(house.broker_net(n)) == 1 for n in ACCOUNTS), "one leg left", house.tail)
    assert all(list(house.broker_net(n).values()) == [-65] for n in ACCOUNTS)
    counted = house.sql("select kind, run_id, count(*) from risk_riskevent where guard_id is not null group by 1, 2, book_id")
    assert all(count == 1 for *_, count in counted), "each decision once"
