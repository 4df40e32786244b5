"""Preview of 4 legs on 50 accounts against simulated brokers that take 100 ms for every answer."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import time
from decimal import Decimal

from bench.figure import Figure, report
from bench.fleet import a_fleet

NAME = "preview"
ACCOUNTS, LATENCY_MS, TIMES = 50, 100, 5
TARGET_S = 2.0


def measure() -> list[Figure]:
    from accounts.models import Account, BrokerRead, User
    from strategies.domain.drafts import Draft, SizingTerms
    from strategies.domain.templates import built_in
    from strategies.services import build, preview

    template = built_in("iron-condor")
    assert template is not None
    accounts = list(Account.objects.order_by("id"))
    owner = User.objects.get(username="bench")
    ids = tuple(account.pk for account in accounts)
    fixed = build.save_strategy(owner, Draft("Fixed", "NRML", ids, template.legs))
    by_grade = SizingTerms(mode="GRADE", grade="B")
    graded = build.save_strategy(owner, Draft("Graded", "NRML", ids, template.legs, sizing=by_grade))
    figures = []
    for word, version in (("fixed lots", fixed), ("by grade", graded)):
        seconds = []
        for _ in range(TIMES):
            # Every preview asks every broker for funds, as the first one of a morning does.
            BrokerRead.objects.filter(kind="FUNDS").delete()
            began = time.perf_counter()
            plan = preview.preview(version, accounts, user=owner)
            seconds.append(time.perf_counter() - began)
            taking = [size for size in plan.terms["sizes"] if size["structures"]]
            assert len(plan.lines) == 4 * ACCOUNTS and len(taking) == ACCOUNTS, plan.skipped
            assert all(Decimal(size["broker"]) > 0 for size in taking), "every basket was asked"
        worst = sorted(seconds)[-1]
        figures.append(Figure(NAME, f"4 legs x 50 accounts, {word}, slowest of {TIMES}", round(worst, 3), "s", TARGET_S, "lower"))
    return figures


def main() -> int:
    with a_fleet(ACCOUNTS, latency_ms=LATENCY_MS):
        return report(measure())


if __name__ == "__main__":
    sys.exit(main())
