"""Templates, files, versions, groups, funds, grades, the table, the calculator, notes: every door, right and wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from algomirror.ops.models import Journal
from risk.models import MarginRequirement, TradeGrade
from strategies.models import AccountGroup, RunNote, RunTags, Strategy, Version
from strategies.services import build
from tests.page_rules import inline_parts, text_of, world
from tests.strategies import stage
from tests.strategies.test_the_pages_say_what_they_do import typed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]
D = Decimal


@pytest.fixture
def bob(client):
    client.force_login(stage.person("bob", "VIEWER"))
    return client


PAGES = [
    "/strategies/templates",
    "/strategies/groups",
    "/funds",
    "/funds/rows",
    "/margin/requirements",
    "/margin/grades",
    "/margin/calculator",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_sees_it_and_seeing_changes_nothing(bob, path):
    stage.account(1)
    before = world()
    answer = bob.get(path)
    assert answer.status_code == 200 and not inline_parts(answer)
    assert world() == before


@pytest.mark.parametrize(
    "path",
    [
        "/strategies/import",
        "/strategies/groups",
        "/funds/refresh",
        "/funds/1/profile",
        "/margin/requirements",
        "/margin/grades",
        "/margin/grades/1/archive",
        "/strategies/1/schedule",
        "/strategies/1/template",
        "/runs/1/notes",
        "/runs/1/tags",
    ],
)
def test_a_viewer_changes_nothing(bob, path):
    assert bob.post(path, {"name": "x"}).status_code == 403


def test_a_template_fills_the_builder_and_saves_nothing(alice):
    answer = alice.get("/strategies/new?template=iron-condor")
    assert answer.status_code == 200 and not inline_parts(answer)
    assert text_of(answer).count("data-leg") >= 4 and not Strategy.objects.exists()
    assert alice.get("/strategies/new?template=nonsense").status_code == 200


def test_an_own_template_keeps_legs_and_limits_but_no_accounts(alice):
    version = stage.saved([stage.account(1)])
    assert alice.post(f"/strategies/{version.strategy_id}/template").status_code == 302
    kept = Strategy.objects.get(is_template=True)
    assert kept.current is not None and not kept.current.accounts.exists() and kept.current.max_loss == D(5000)
    assert "Condor template" in text_of(alice.get("/strategies/templates"))
    assert "Condor template" not in text_of(alice.get("/strategies"))
    assert text_of(alice.get(f"/strategies/new?template=own-{kept.pk}")).count("data-leg") >= 4
    answer = alice.post(f"/strategies/{kept.pk}/preview", headers={"HX-Request": "true"})
    assert "is a template" in text_of(answer)


def test_a_file_comes_back_as_it_went_out(alice):
    version = stage.saved([stage.account(1)])
    answer = alice.get(f"/strategies/{version.strategy_id}/export")
    assert "attachment" in answer["Content-Disposition"]
    content = json.loads(answer.content)
    assert content["strategy"]["account_ids"] == [] and len(content["strategy"]["legs"]) == 4
    filled = alice.post("/strategies/import", {"text": answer.content.decode()})
    assert filled.status_code == 200
    assert text_of(filled).count("data-leg") >= 4 and Strategy.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda c: "no json", "file"),
        (lambda c: json.dumps({"format": "other"}), "format"),
        (lambda c: json.dumps(c | {"version": 9}), "version"),
        (lambda c: _with(c, lots="one"), "legs[0].lots"),
        (lambda c: _with(c, lots=0), "legs-0-lots"),
        (lambda c: _with(c, strike_mode="MOON"), "legs[0].strike_mode"),
        (lambda c: _with(c, hedges=[9], action="BUY"), "legs-0-hedges"),
        (lambda c: _with(c, lot=1), "legs[0].lot: there is no such field"),
        (lambda c: _limited(c, max_los="5000"), "limits.max_los: there is no such field"),
        (lambda c: _limited(c, max_loss=float("nan")), "limits.max_loss: a number out of range"),
        (lambda c: _limited(c, max_loss=10**400), "limits.max_loss: a number out of range"),
        (lambda c: _limited(c, max_loss="NaN"), "limits.max_loss: a number out of range"),
        (lambda c: _limited(c, max_loss="1e999"), "limits.max_loss: a number out of range"),
        (
            lambda c: json.dumps(c | {"strategy": c["strategy"] | {"name": "\ud800"}}),
            "name: a text that cannot be stored",
        ),
        (
            lambda c: json.dumps(c | {"strategy": c["strategy"] | {"name": "a\x00b"}}),
            "name: a text that cannot be stored",
        ),
        (lambda c: "[" * 30_000, "not readable as JSON"),
        (lambda c: json.dumps(c | {"strategy": None}).replace("null", "[" * 950 + "]" * 950), "not readable as JSON"),
        (lambda c: "[]", "format"),
    ],
)
def test_a_bad_file_is_refused_with_the_place(alice, change, place):
    version = stage.saved([stage.account(1)])
    content = json.loads(alice.get(f"/strategies/{version.strategy_id}/export").content)
    answer = alice.post("/strategies/import", {"text": change(content)})
    assert answer.status_code == 422 and place in re.sub("</?code>", "", text_of(answer))


def _with(content, **fields):
    content["strategy"]["legs"][0] |= fields
    return json.dumps(content)


def _limited(content, **fields):
    content["strategy"]["limits"] |= fields
    return json.dumps(content)


def test_versions_are_compared_field_by_field(alice):
    first = stage.saved([stage.account(1)])
    draft = build.draft_of(first)
    build.save_strategy(stage.alice(), replace(draft, hedge_wait_s=25), strategy=first.strategy, base=1)
    page = text_of(alice.get(f"/strategies/{first.strategy_id}/versions"))
    assert "hedge_wait_s" in page and ">25<" in page and "legs 1 lots" not in page
    assert alice.get(f"/strategies/{first.strategy_id}/versions?a=7&b=9").status_code in (409, 422)


def test_the_builder_keeps_every_new_field(alice):
    account = stage.account(1)
    posted = typed([account]) | {
        "tags": "income, weekly",
        "market_condition": "NON_EXPIRY",
        "sizing": "GRADE",
        "grade": "B",
        "margin_policy": "TABLE",
        "shortfall": "REDUCE",
        "entry_time": "09:20",
        "weekdays": ["0", "2"],
        "days_to_expiry_min": "1",
        "description": "Sell wide, leave early.",
        f"factor-{account.pk}": "0.5",
    }
    assert alice.post("/strategies/new", posted).status_code == 302
    version = Version.objects.get()
    assert (version.market_condition, version.sizing, version.grade.name) == ("NON_EXPIRY", "GRADE", "B")
    assert (version.margin_policy, version.shortfall) == ("TABLE", "REDUCE")
    assert version.strategy.description == "Sell wide, leave early."
    assert version.members.get().factor == D("0.5") and version.strategy.tags == ["income", "weekly"]
    row = version.schedule
    assert (row.weekdays, f"{row.entry_time:%H:%M}", f"{row.latest_entry_time:%H:%M}") == ([0, 2], "09:20", "09:25")
    page = text_of(alice.get(f"/strategies/{version.strategy_id}/edit"))
    assert 'value="0.5"' in page and 'value="09:20"' in page
    assert "#income" in text_of(alice.get("/strategies?tag=income")) and "Call spread" not in text_of(
        alice.get("/strategies?tag=x")
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"entry_time": "9 o'clock"}, "id_entry_time"),
        ({"entry_time": "09:20", "latest_entry_time": "09:10"}, "id_latest_entry_time"),
        ({"latest_entry_time": "09:10"}, "id_entry_time"),
        ({"entry_time": "09:20", "weekdays": []}, "id_weekdays"),
        ({"sizing": "GRADE", "grade": ""}, "id_grade"),
        ({"sizing": "MUCH"}, "id_sizing"),
        ({"legs-0-strike_mode": "STRIKE", "legs-0-strike_offset": "", "legs-0-strike_value": "24025"}, "id_legs-0-strike_value"),
        ({"legs-0-price_type": "LIMIT"}, "id_legs-0-limit_price"),
        ({"legs-0-slot": "DATE", "legs-0-expiry_date": "2026-11-01"}, "id_legs-0-expiry_date"),
        ({"legs-0-lots": "two"}, "id_legs-0-lots"),
    ],
)
def test_bad_fields_of_the_builder_are_named(alice, change, field):
    answer = alice.post("/strategies/new", typed([stage.account(1)]) | change)
    page = text_of(answer)
    assert answer.status_code == 422 and not Strategy.objects.exists()
    beside = page.split(f'id="{field}', 1)[1][:1600]
    assert f'href="#{field}"' in page or "field-error" in beside


def test_a_group_brings_its_accounts_and_factors(alice):
    one, two = stage.account(1), stage.account(2)
    posted = {"name": "Family", f"factor-{one.pk}": "1", f"factor-{two.pk}": "2.5"}
    assert alice.post("/strategies/groups", posted).status_code == 302
    group = AccountGroup.objects.get()
    assert alice.post("/strategies/new", typed([]) | {"accounts": [], "group": group.pk}).status_code == 302
    assert {m.account_id: m.factor for m in Version.objects.get().members.all()} == {one.pk: D(1), two.pk: D("2.5")}
    assert alice.post(f"/strategies/groups/{group.pk}/delete").status_code == 302
    assert Version.objects.get().members.count() == 2


@pytest.mark.parametrize("posted", [{"name": ""}, {"name": "Empty"}, {"name": "x" * 41}])
def test_a_group_that_cannot_be_is_refused(alice, posted):
    assert alice.post("/strategies/groups", posted).status_code == 422 and not AccountGroup.objects.exists()


def test_funds_are_shown_as_one_definition_reads_them(alice):
    known, unknown = stage.account(1), stage.account(2)
    stage.funds_read(known, 100_000, collateral="40000", used="25000")
    stage.funds_read(unknown, "", age_s=1)
    page = text_of(alice.get("/funds"))
    assert "₹1,00,000.00" in page and "₹60,000.00" in page and "are not known" in page
    assert alice.post(f"/funds/{known.pk}/profile", {"available_is_gross": "1"}).status_code == 302
    known.refresh_from_db()
    assert (known.collateral_included, known.available_is_gross, known.margin_trusted) == (False, True, False)
    assert "₹1,15,000.00" in text_of(alice.get("/funds")), "100 + 40 collateral − 25 used"
    assert Journal.objects.filter(kind="account.profile").count() == 1


@pytest.mark.parametrize("field", ["collateral_included", "available_is_gross", "margin_trusted"])
def test_each_word_of_the_funds_profile_is_kept(alice, field):
    account = stage.account(1)
    for value in (True, False):
        alice.post(f"/funds/{account.pk}/profile", {field: "1"} if value else {})
        account.refresh_from_db()
        assert getattr(account, field) is value


def test_a_margin_figure_is_changed_and_journaled(alice):
    posted = {"underlying": "NIFTY", "kind": "SHORT_SINGLE", "is_expiry": "0", "rupees": "2,60,000"}
    assert alice.post("/margin/requirements", posted).status_code == 302
    assert MarginRequirement.objects.get(underlying="NIFTY", kind="SHORT_SINGLE", is_expiry=False).rupees == D(260000)
    assert Journal.objects.filter(kind="margin.figure").count() == 1


@pytest.mark.parametrize(
    "change", [{"rupees": "0"}, {"rupees": "much"}, {"rupees": "1e30"}, {"kind": "X"}, {"underlying": "MOON"}]
)
def test_a_bad_margin_figure_is_refused(alice, change):
    posted = {"underlying": "NIFTY", "kind": "SHORT_SINGLE", "is_expiry": "0", "rupees": "5"} | change
    assert alice.post("/margin/requirements", posted).status_code == 422


def test_grades_are_edited_added_and_never_called_safer_for_more(alice):
    a = TradeGrade.objects.get(name="A")
    posted = {"grade": a.pk, "name": "renamed", "share": "90", "basis": "USABLE", "description": ""}
    assert alice.post("/margin/grades", posted).status_code == 302
    a.refresh_from_db()
    assert (a.name, a.share, a.label) == ("A", D(90), "aggressive")
    assert alice.post("/margin/grades", {"name": "Small", "share": "5", "basis": "CASH"}).status_code == 302
    labels = {g.name: g.label for g in TradeGrade.objects.all()}
    assert labels == {"A": "aggressive", "B": "moderate", "C": "conservative", "Small": "conservative"}
    assert alice.post("/margin/grades", {"name": "A", "share": "5", "basis": "CASH"}).status_code == 422
    assert alice.post("/margin/grades", {"name": "Over", "share": "101", "basis": "CASH"}).status_code == 422
    assert alice.post(f"/margin/grades/{a.pk}/archive").status_code in (409, 422)
    small = TradeGrade.objects.get(name="Small")
    assert alice.post(f"/margin/grades/{small.pk}/archive").status_code == 302
    assert TradeGrade.objects.get(name="Small").archived_at is not None


def test_the_calculator_gives_the_vector(alice):
    page = text_of(alice.get("/margin/calculator?amount=10,00,000&underlying=NIFTY&what=SHORT_CALL&grade=B"))
    assert "2 lots" in page and ">130<" in page
    none = text_of(alice.get("/margin/calculator?amount=300000&underlying=NIFTY&what=SHORT_CALL&grade=C"))
    assert "MARGIN_SHORT" in none


@pytest.mark.parametrize("query", ["amount=x&underlying=NIFTY&what=SHORT_CALL&grade=B", "underlying=NIFTY&what=MOON&grade=B"])
def test_the_calculator_refuses_what_it_cannot_read(alice, query):
    assert alice.get(f"/margin/calculator?{query}").status_code == 422


def test_notes_and_tags_stay_with_the_run(alice):
    run = stage.started([stage.account(1)])
    assert alice.post(f"/runs/{run.pk}/notes", {"text": "Quiet <b>open</b>"}).status_code == 302
    assert alice.post(f"/runs/{run.pk}/tags", {"words": "expiry, calm"}).status_code == 302
    assert alice.post(f"/runs/{run.pk}/notes", {"text": ""}).status_code == 422
    assert RunNote.objects.get().author == stage.alice() and RunTags.objects.get().words == ["expiry", "calm"]
    page = text_of(alice.get(f"/runs/{run.pk}"))
    assert "Quiet &lt;b&gt;open" in page and "#calm" in page
    assert alice.get(f"/runs/{run.pk}/payoff?whatif_spot=x").status_code == 200


def test_past_runs_show_what_they_cost(alice):
    run = stage.started([stage.account(1)])
    stage.filled(run)
    type(run).objects.filter(pk=run.pk).update(state="CLOSED", exit_reason="MANUAL")
    page = text_of(alice.get("/runs"))
    assert "Charges" in page and "Net" in page
    assert "₹" in page.split("Charges", 2)[-1]


def test_the_plan_shows_size_margin_charges_and_timetable(alice):
    version = stage.saved([stage.account(1)])
    page = text_of(alice.post(f"/strategies/{version.strategy_id}/preview", headers={"HX-Request": "true"}))
    for text in ("Size and margin", "Needed", "In and out", "Earliest", "short_pair", "+0.00 s"):
        assert text in page


def test_a_draft_preview_draws_the_curve(alice):
    page = text_of(alice.post("/strategies/draft", typed([stage.account(1)])))
    assert "data-payoff=" in page and "Breakevens" in page and "Probability of profit" in page
