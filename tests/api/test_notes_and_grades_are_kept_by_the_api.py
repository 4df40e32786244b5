"""Notes of a run are added and listed; a grade is changed in part."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from accounts.services import people
from algomirror.ops.models import Journal
from risk.models import TradeGrade
from strategies.models import RunNote
from tests import cast
from tests.api.caller import Caller
from tests.strategies import stage
from trading.models import Run


@pytest.fixture
def run(_market: Any) -> Run:
    made = cast.run()
    cast.book(cast.account("Anil"), made)
    cast.book(cast.account("Bina"), made)
    return made


def test_a_note_is_added_and_listed_newest_first(owner: Caller, run: Run) -> None:
    first = owner.post(f"runs/{run.pk}/notes", {"text": "  sold into the news  "})
    assert first.status_code == 201
    assert (first.json()["text"], first.json()["author"], first.json()["run"]) == ("sold into the news", "alice", run.pk)
    owner.post(f"runs/{run.pk}/notes", {"text": "and regretted it"})
    assert [row["text"] for row in owner.get(f"runs/{run.pk}/notes").json()["results"]] == [
        "and regretted it",
        "sold into the news",
    ]
    assert Journal.objects.filter(kind="run.note", run_id=run.pk).count() == 2


def test_a_repeat_adds_no_second_note(owner: Caller, run: Run) -> None:
    for _ in range(2):
        owner.post(f"runs/{run.pk}/notes", {"text": "once"}, key="note-1")
    assert RunNote.objects.count() == 1


@pytest.mark.parametrize("body", [None, {}, {"text": ""}, {"text": "   "}, {"text": "x" * 2001}, {"text": None}, {"words": "x"}])
def test_a_note_without_words_is_400(owner: Caller, run: Run, body: Any) -> None:
    answer = owner.post(f"runs/{run.pk}/notes", body)
    assert answer.status_code == 400 and answer.json()["error"]["fields"] and not RunNote.objects.exists()


def test_notes_of_a_run_of_others_are_404(run: Run) -> None:
    RunNote.objects.create(run=run, author=stage.alice(), at=run.started_at, text="ours")
    elsewhere = cast.account("Chand")
    bob = stage.person("bob", "TRADER")
    people.assign(stage.alice(), bob.pk, [elsewhere.pk])
    half = run.books.order_by("pk")[0].account_id
    for caller in (
        Caller.of(stage.alice(), scopes=["read", "trade"], accounts=[elsewhere.pk]),
        Caller.of(stage.alice(), scopes=["read", "trade"], accounts=[half]),
        Caller.of(User.objects.get(pk=bob.pk), scopes=["read", "trade"]),
    ):
        assert caller.get(f"runs/{run.pk}/notes").status_code == 404
        assert caller.post(f"runs/{run.pk}/notes", {"text": "x"}).status_code == 404
    assert Caller.of(stage.alice(), scopes=["read"]).post(f"runs/{run.pk}/notes", {"text": "x"}).status_code == 403


@pytest.fixture
def grade(owner: Caller) -> int:
    made = owner.post("margin/grades", {"name": "Mine", "share": "40", "basis": "CASH", "description": "for Fridays"})
    return int(made.json()["id"])


def test_what_is_not_named_of_a_grade_stays(owner: Caller, grade: int) -> None:
    body = owner.send("PATCH", f"margin/grades/{grade}", {"share": "45.5"}).json()
    assert [body[name] for name in ("name", "share", "basis", "description")] == ["Mine", "45.50", "CASH", "for Fridays"]
    body = owner.send("PATCH", f"margin/grades/{grade}", {"name": "Ours", "description": ""}).json()
    assert [body[name] for name in ("name", "share", "description")] == ["Ours", "45.50", ""]
    assert Journal.objects.filter(kind="margin.grade").count() == 3


def test_a_standard_grade_keeps_its_name(owner: Caller) -> None:
    standard = TradeGrade.objects.get(name="A")
    body = owner.send("PATCH", f"margin/grades/{standard.pk}", {"name": "Z", "share": "90"}).json()
    assert (body["name"], body["share"]) == ("A", "90.00")


@pytest.mark.parametrize(
    ("change", "field"),
    [({"share": "0"}, "share"), ({"share": "100.01"}, "share"), ({"basis": "HOPE"}, "basis"), ({"name": "A"}, "name"),
     ({"name": "x" * 11}, "name"), ({"label": "BOLD"}, "label")],
)  # fmt: skip
def test_what_is_wrong_with_a_grade_is_named(owner: Caller, grade: int, change: dict[str, Any], field: str) -> None:
    answer = owner.send("PATCH", f"margin/grades/{grade}", change)
    assert answer.status_code == 400 and field in answer.json()["error"]["fields"]
    assert TradeGrade.objects.get(pk=grade).share == Decimal(40)


def test_a_limited_token_changes_no_grade(owner: Caller, grade: int) -> None:
    lent = Caller.of(stage.alice(), scopes=["read", "trade"], accounts=[cast.account("Anil").pk])
    assert lent.send("PATCH", f"margin/grades/{grade}", {"share": "1"}).status_code == 403
    assert owner.send("PATCH", "margin/grades/999999", {"share": "1"}).status_code == 404
