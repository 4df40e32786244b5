from __future__ import annotations

from decimal import Decimal
from typing import Any

from risk.models import GroupLimits
from risk.services import grouped
from strategies.services import groups
from tests.api.caller import Caller, account
from tests.strategies import stage


def test_a_program_reads_and_sets_limits_of_accounts_groups_and_all() -> None:
    one, two = account(1), account(2)
    group = groups.save("Family", {one.pk: Decimal(1), two.pk: Decimal(1)}, by="user:alice")
    owner = Caller.of(stage.alice(), scopes=["read", "trade"])

    def put(**body: Any) -> Any:
        return owner.send("PUT", "risk/limits", body)

    said = put(scope="group", target=group.pk, daily_loss="5000").json()
    assert (said["scope"], said["name"], said["limits"]) == ("group", "Group Family", {"daily_loss": "5000.00"})
    assert put(scope="account", target=one.pk, max_lots=7, daily_loss="900.50").status_code == 200
    assert put(scope="account", target=one.pk, daily_loss=None).json()["limits"] == {"max_lots": "7"}, "what is not named stays"
    assert put(scope="platform", daily_profit="1,00,000").json()["limits"] == {"daily_profit": "100000.00"}
    rows = {(row["scope"], row["target"]): row for row in owner.get("risk/ceilings").json()}
    assert list(rows) == [("platform", None), ("group", group.pk), ("account", one.pk), ("account", two.pk)]
    assert rows["account", two.pk]["limits"] == {} and rows["group", group.pk]["day_pnl"] == "0.00"
    for body, field in (
        ({"scope": "group", "target": group.pk, "max_lots": 3}, "max_lots"),
        ({"scope": "group", "target": group.pk, "daily_loss": "-0"}, "daily_loss"),
        ({"scope": "account", "daily_loss": "5"}, "target"),
        ({"scope": "platform", "target": one.pk, "daily_loss": "5"}, "target"),
        ({"scope": "account", "target": one.pk, "losing_exits": 2}, "cool_down_minutes"),
        ({"scope": "account", "target": one.pk, "daily_los": "5"}, "daily_los"),
    ):
        answer = put(**body)
        assert answer.status_code == 400 and field in str(answer.json()), body
    assert put(scope="group", target=999_999, daily_loss="5").status_code == 404


def test_a_token_for_one_account_sees_and_sets_that_one_only() -> None:
    one, two = account(1), account(2)
    group = groups.save("Family", {one.pk: Decimal(1), two.pk: Decimal(1)}, by="user:alice")
    grouped.set_limits(group.pk, {"daily_loss": Decimal(5000)}, by="user:alice")
    lent = Caller.of(stage.alice(), scopes=["read", "trade"], accounts=[one.pk])
    assert [(row["scope"], row["target"]) for row in lent.get("risk/ceilings").json()] == [("account", one.pk)]
    for body, status in (
        ({"scope": "group", "target": group.pk, "daily_loss": "1"}, 404),
        ({"scope": "account", "target": two.pk, "daily_loss": "1"}, 404),
        ({"scope": "platform", "daily_loss": "1"}, 403),
    ):
        assert lent.send("PUT", "risk/limits", body).status_code == status
    assert GroupLimits.objects.get().daily_loss == 5000
