from __future__ import annotations

import re
from decimal import Decimal

import pytest

from risk.models import RiskEvent, RunLimits, TradingState
from risk.services import watch
from strategies.models import Plan, Strategy, Version
from strategies.services import preview, settle
from tests.strategies import stage
from trading.models import ExitGoal, Order, Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]


def typed(chosen, **change):
    legs = [("SELL", "OTM", 2, "CE"), ("BUY", "OTM", 4, "CE")]
    posted = {
        "name": "Call spread",
        "product": "NRML",
        "accounts": [a.pk for a in chosen],
        "hedge_wait_s": 10,
        "max_loss": "-5,000",
        "max_profit": "",
        "max_loss_action": "EXIT",
        "max_profit_action": "EXIT",
        "scope": "RUN",
        "blind_policy": "HOLD",
        "legs-TOTAL_FORMS": len(legs),
        "legs-INITIAL_FORMS": 0,
    }
    for n, (action, mode, offset, kind) in enumerate(legs):
        posted |= {
            f"legs-{n}-action": action,
            f"legs-{n}-lots": 1,
            f"legs-{n}-underlying": "NIFTY",
            f"legs-{n}-slot": "CURRENT_WEEK",
            f"legs-{n}-strike_mode": mode,
            f"legs-{n}-strike_offset": offset,
            f"legs-{n}-kind": kind,
            f"legs-{n}-hedges": "auto",
        }
    return posted | change


def test_the_builder_saves_a_version_with_its_links(alice):
    answer = alice.post("/strategies/new", typed([stage.account(1)]))
    version = Version.objects.get()
    assert answer.status_code == 302 and answer.url == f"/strategies/{version.strategy_id}/edit"
    assert version.max_loss == Decimal(5000) and version.max_profit is None
    assert [leg.hedges for leg in version.legs.order_by("number")] == [[], [1]]


def test_every_field_of_a_leg_is_kept_as_typed(alice):
    legs = {
        "legs-0-action": "BUY", "legs-0-lots": 3, "legs-0-kind": "PE", "legs-0-slot": "DATE", "legs-0-strike_mode": "PREMIUM",
        "legs-0-strike_offset": "",
        "legs-0-expiry_date": f"{stage.NEXT:%Y-%m-%d}", "legs-0-strike_value": "20", "legs-0-tolerance": 15, "legs-0-hedges": "",
        "legs-1-kind": "FUT", "legs-1-slot": "NEXT_MONTH", "legs-1-strike_mode": "", "legs-1-strike_offset": "",
        "legs-1-price_type": "SL", "legs-1-limit_price": "24100", "legs-1-trigger_price": "24090", "legs-1-hedges": "",
    }  # fmt: skip
    answer = alice.post("/strategies/new", typed([stage.account(1)], scope="BOOK", **legs))
    assert answer.status_code == 302, re.findall(r"field-error[^<]*<[^<]*", answer.content.decode())
    assert Version.objects.get().limit_scope == "BOOK"
    first, second = Version.objects.get().legs.order_by("number")
    assert (first.action, first.lots, first.kind, first.slot, first.expiry_date) == ("BUY", 3, "PE", "DATE", stage.NEXT)
    assert (first.strike_mode, first.strike_value, first.tolerance) == ("PREMIUM", 20, 15)
    assert (second.kind, second.slot, second.underlying.symbol) == ("FUT", "NEXT_MONTH", "NIFTY")
    assert (second.price_type, second.limit_price, second.trigger_price) == ("SL", 24100, 24090)


def test_without_scripts_a_row_more_keeps_the_strategy_that_is_edited(alice):
    strategy = stage.saved([stage.account(1)]).strategy_id
    page = alice.post("/strategies/legs", typed([], op="add", strategy=strategy)).content.decode()
    assert f"/strategies/{strategy}/edit" in page and "Save as next version" in page
    assert "Save as next version" not in alice.post("/strategies/legs", typed([], op="add")).content.decode()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "id_name"),
        ({"product": ""}, "id_product"),
        ({"accounts": []}, "id_accounts"),
        ({"accounts": [4711]}, "id_accounts"),
        ({"max_loss": "0"}, "id_max_loss"),
        ({"max_loss": "much"}, "id_max_loss"),
        ({"hedge_wait_s": 1}, "id_hedge_wait_s"),
        ({"legs-0-lots": 0}, "id_legs-0-lots"),
        ({"legs-0-strike_offset": 21}, "id_legs-0-strike_offset"),
        ({"legs-0-underlying": "MOON"}, "id_legs-0-underlying"),
        ({"legs-1-hedges": "x"}, "id_legs-1-hedges"),
        ({"legs-1-hedges": "9"}, "id_legs-1-hedges"),
        ({"legs-0-lots": 3, "legs-1-hedges": "1"}, "id_legs-1-hedges"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_half_saved(alice, change, field):
    answer = alice.post("/strategies/new", typed([stage.account(1)], **change))
    page = answer.content.decode()
    # Form fields are listed with a link to them; leg fields carry the error in their own cell.
    beside = re.search(rf'id="{field}".*?</td>', page, re.S)
    assert answer.status_code == 422
    assert f'href="#{field}"' in page or (beside and "field-error" in beside.group())
    assert not Strategy.objects.exists() and not Version.objects.exists()


def test_saving_makes_the_next_version_and_an_overtaken_edit_is_told(alice):
    accounts = [stage.account(1)]
    alice.post("/strategies/new", typed(accounts))
    strategy = Strategy.objects.get()
    assert alice.post(f"/strategies/{strategy.pk}/edit", typed(accounts, base=1, max_loss="4000")).status_code == 302
    late = alice.post(f"/strategies/{strategy.pk}/edit", typed(accounts, base=1, max_loss="9000"))
    assert late.status_code == 422 and "Version 2 was saved meanwhile" in late.content.decode()
    assert list(strategy.versions.order_by("number").values_list("max_loss", flat=True)) == [5000, 4000]


def test_a_taken_name_is_refused(alice):
    accounts = [stage.account(1)]
    alice.post("/strategies/new", typed(accounts))
    answer = alice.post("/strategies/new", typed(accounts))
    assert answer.status_code == 422 and "this name is taken" in answer.content.decode()
    assert Strategy.objects.count() == 1


def test_leg_rows_are_added_removed_and_duplicated_without_saving(alice):
    posted = typed([stage.account(1)])

    def total(op):
        page = alice.post("/strategies/legs", posted | {"op": op}, headers={"HX-Request": "true"}).content.decode()
        return len(re.findall(r"<select name=.legs-\d+-underlying", page))

    assert total("add") == 3 and total("duplicate:1") == 3 and total("remove:0") == 1 and total("nonsense") == 2
    assert not Strategy.objects.exists()


def test_the_live_preview_resolves_what_is_typed(alice):
    page = alice.post("/strategies/draft", typed([stage.account(1)], max_loss="")).content.decode()
    assert "NIFTY24NOV2624150CE" in page and "NIFTY24NOV2624250CE" in page
    assert "No hard stop" in page and not Plan.objects.exists()


def test_preview_then_send_exactly_this(alice):
    accounts = [stage.account(1), stage.account(2), stage.account(3)]
    version = stage.saved(accounts)
    drawer = alice.post(f"/strategies/{version.strategy_id}/preview", headers={"HX-Request": "true"}).content.decode()
    assert "Send exactly this: 12 orders to 3 paper accounts" in drawer
    plan = Plan.objects.get()
    body = {"plan": plan.key, "digest": plan.digest, "idempotency_key": "click-1"}
    assert alice.post("/runs/start", body | {"digest": "f" * 64}).status_code == 422
    assert not Run.objects.exists()
    first, second = alice.post("/runs/start", body), alice.post("/runs/start", body)
    assert first.status_code == second.status_code == 302 and first.url == second.url == f"/runs/{Run.objects.get().pk}"
    assert Order.objects.count() == 12


def test_every_page_of_a_run_s_life_renders(alice):
    accounts = [stage.account(1), stage.account(2)]
    run = stage.started(accounts)
    for url in (
        "/strategies",
        "/strategies?archived=1",
        "/runs",
        "/runs/rows",
        f"/runs/{run.pk}",
        "/risk",
        "/risk/monitor",
        "/ticket",
    ):
        assert alice.get(url).status_code == 200, url
    stage.filled(run)
    settle.settle(run.pk)
    leg = run.books.first().positions.get(leg=1)
    stage.tick(leg.key, leg.open_value / abs(leg.units) + 60)
    watch.sweep()
    assert RiskEvent.objects.count() == 1
    page = alice.get(f"/runs/{run.pk}/body").content.decode()
    assert "Max loss: P&amp;L ₹−7,800.00 ≤ ₹−5,000.00 (seen by sweep). Exit requested." in page
    assert "exit asked" in page and "market-protected" not in page
    assert alice.get("/risk").status_code == 200 and alice.get("/runs").status_code == 200
    ExitGoal.objects.update(state="DONE")
    for book in run.books.all():
        stage.flat(book)
    run.books.update(state="FLAT")
    settle.settle(run.pk)
    assert "flat, confirmed by fills: MAX_LOSS" in alice.get(f"/runs/{run.pk}").content.decode()
    assert alice.get("/runs").status_code == 200


def test_reading_changes_nothing(alice):
    run = stage.started([stage.account(1)])
    stage.filled(run)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for url in ("/strategies", "/runs", f"/runs/{run.pk}", f"/runs/{run.pk}/exit", "/risk", "/risk/kill", "/ticket"):
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert alice.get(url).status_code == 200
        written = [q["sql"] for q in seen if q["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE") and "session" not in q["sql"]]
        assert written == [], url


def test_exits_are_asked_from_the_run_page(alice):
    run = stage.started([stage.account(1), stage.account(2)])
    stage.filled(run)
    first = run.books.first()
    assert (
        "Exit asked"
        in alice.post(f"/runs/{run.pk}/accounts/{first.account_id}/exit", headers={"HX-Request": "true"}).content.decode()
    )
    assert ExitGoal.objects.get().book_id == first.pk
    assert alice.post(f"/runs/{run.pk}/exit", {"why": "enough"}).url == f"/runs/{run.pk}"
    assert ExitGoal.objects.count() == 2
    assert "enough" in alice.get(f"/runs/{run.pk}/body").content.decode()
    assert alice.post("/runs/4711/exit").status_code == 404


def test_limits_change_on_an_open_run_with_a_reason_to_loosen(alice):
    run = stage.started([stage.account(1)])
    body = {"max_loss": "9000", "max_profit": "4000", "blind_policy": "FLATTEN"}
    body |= {"max_loss_action": "ALERT", "max_profit_action": "ALERT"}
    assert alice.post(f"/runs/{run.pk}/limits", body).status_code == 422
    assert RunLimits.objects.get(run=run).max_loss == 5000
    assert alice.post(f"/runs/{run.pk}/limits", body | {"why": "hedged outside"}).status_code == 302
    now = RunLimits.objects.get(run=run)
    assert (now.max_loss, now.max_profit, now.blind_policy) == (9000, 4000, "FLATTEN")
    assert (now.max_loss_action, now.max_profit_action) == ("ALERT", "ALERT")


def test_a_run_on_several_accounts_shows_each_leg_over_all_of_them(alice):
    run = stage.started([stage.account(1), stage.account(2)])
    stage.filled(run)
    page = alice.get(f"/runs/{run.pk}/body").content.decode()
    legs = run.plan.version.legs.count()
    assert page.count("everywhere</a>") == legs, "one way out for each leg, not one per account"
    alone = stage.started([stage.account(3)], name="Alone")
    stage.filled(alone)
    assert "everywhere" not in alice.get(f"/runs/{alone.pk}/body").content.decode()


def test_a_ticket_from_the_chain_is_previewed_and_sent(alice):
    a = stage.account(1)
    exchange, _, symbol = stage.option(24050, "CE").partition(":")
    page = alice.get(f"/ticket?exchange={exchange}&symbol={symbol}&side=SELL").content.decode()
    assert symbol in page and 'value="SELL" selected' in page
    posted = {"exchange": exchange, "symbol": symbol, "action": "SELL", "lots": 2, "product": "NRML", "accounts": [a.pk]}
    drawer = alice.post("/ticket/preview", posted | {"price_type": "MARKET_PROTECTED"}, headers={"HX-Request": "true"})
    assert "Send exactly this: 1 order to 1 paper account" in drawer.content.decode()
    plan = Plan.objects.get()
    body = {"plan": plan.key, "digest": plan.digest, "idempotency_key": "k"}
    assert "1 order written down" in alice.post("/ticket/send", body, headers={"HX-Request": "true"}).content.decode()
    alice.post("/ticket/send", body)
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"lots": ""},
        {"lots": -1},
        {"price_type": "LIMIT"},
        {"price_type": "MARKET"},
        {"accounts": []},
        {"symbol": "X"},
        {"price": "abc"},
        {"legs": "[]"},
        {"legs": "{}"},
        {"legs": "nonsense"},
        {"legs": '[{"exchange":"NFO","symbol":"X","side":"HOLD","lots":1}]'},
    ],
)
def test_a_bad_ticket_is_refused(alice, change):
    exchange, _, symbol = stage.option(24050, "CE").partition(":")
    posted = {"exchange": exchange, "symbol": symbol, "action": "SELL", "lots": 1, "product": "NRML"}
    posted |= {"accounts": [stage.account(1).pk], "price_type": "MARKET_PROTECTED"}
    assert alice.post("/ticket/preview", posted | change).status_code == 422
    assert not Plan.objects.exists()


def test_a_basket_asks_for_accounts_and_becomes_legs_too(alice):
    a = stage.account(1)
    exchange, _, symbol = stage.option(24150, "CE").partition(":")
    legs = f'[{{"exchange":"{exchange}","symbol":"{symbol}","side":"SELL","lots":2}}]'
    asked = alice.post("/ticket/preview", {"legs": legs, "underlying": "NIFTY"}, headers={"HX-Request": "true"}).content.decode()
    assert "Preview on these accounts" in asked and a.name in asked
    sent = {"legs": legs, "product": "NRML", "accounts": [a.pk], "price_type": "MARKET_PROTECTED"}
    plan = alice.post("/ticket/preview", sent).content.decode()
    assert "1 order to 1 paper account" in plan
    assert f'data-topics="symbols:{exchange}:{symbol}"' in plan and f'data-quote="{exchange}:{symbol}"' in plan, "it ticks"
    builder = alice.post("/strategies/new/from-basket", {"legs": legs, "underlying": "NIFTY"}).content.decode()
    assert 'value="OTM" selected' in builder and 'name="legs-0-lots" value="2"' in builder


WRITES = [
    "/strategies/new", "/strategies/legs", "/strategies/draft", "/strategies/1/preview", "/strategies/1/copy",
    "/strategies/1/archive", "/strategies/1/entries", "/runs/start", "/runs/1/limits", "/ticket/preview", "/ticket/send",
]  # fmt: skip


@pytest.mark.parametrize("role", ["VIEWER", "RISK"])
@pytest.mark.parametrize("url", WRITES)
def test_only_traders_write(client, url, role):
    client.force_login(stage.person("charlie", role))
    assert client.post(url).status_code == 403


def test_a_viewer_reads_but_does_not_stop_anything_and_a_risk_officer_does(client):
    run = stage.started([stage.account(1)])
    stage.filled(run)
    client.force_login(stage.person("bob", "VIEWER"))
    for url in ("/strategies", f"/strategies/{run.strategy_id}/edit", "/runs", f"/runs/{run.pk}", "/risk"):
        assert client.get(url).status_code == 200, url
    assert client.post(f"/runs/{run.pk}/exit").status_code == 403
    assert client.post("/risk/kill", {"scope": "platform", "level": "FLATTEN"}).status_code == 403
    assert not ExitGoal.objects.exists() and not TradingState.objects.exists()
    client.force_login(stage.person("rita", "RISK"))
    answer = client.post("/risk/kill", {"scope": "platform", "level": "FLATTEN"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and ExitGoal.objects.count() == 1
    assert client.post("/risk/release", {"scope": "platform", "reason": "x"}).status_code == 403
    client.force_login(stage.alice())
    assert client.post("/risk/release", {"scope": "platform", "reason": "over"}).status_code == 302
    assert TradingState.objects.get().state == "ACTIVE"


@pytest.mark.parametrize(
    "body", [{}, {"scope": "platform"}, {"scope": "platform", "level": "BOOM"}, {"scope": "account:x", "level": "HALT"}]
)
def test_a_kill_that_is_not_understood_does_nothing(alice, body):
    assert alice.post("/risk/kill", body).status_code == 422
    assert not TradingState.objects.exists()


def test_every_strategy_button_works(alice):
    version = stage.saved([stage.account(1)])
    pk = version.strategy_id
    alice.post(f"/strategies/{pk}/entries", {"enabled": "0"})
    assert not Strategy.objects.get(pk=pk).entries_enabled
    assert alice.post(f"/strategies/{pk}/preview").status_code == 422
    alice.post(f"/strategies/{pk}/entries", {"enabled": "1"})
    alice.post(f"/strategies/{pk}/copy")
    assert Strategy.objects.filter(name="Condor copy").exists()
    alice.post(f"/strategies/{pk}/archive")
    assert Strategy.objects.get(pk=pk).archived_at is not None and Version.objects.filter(strategy_id=pk).exists()


def test_a_number_of_queries_that_does_not_grow_with_the_runs(alice, django_assert_max_num_queries):
    accounts = [stage.account(1), stage.account(2)]
    for n in range(4):
        version = stage.saved(accounts, name=f"S{n}")
        plan = preview.preview(version, accounts, user=stage.alice())
        from strategies.services import start

        start.start(plan.key, digest=plan.digest, idempotency_key=f"k{n}", by="user:alice")
    for url, most in (("/runs", 30), ("/risk", 30), ("/strategies", 25)):
        with django_assert_max_num_queries(most):
            alice.get(url)
