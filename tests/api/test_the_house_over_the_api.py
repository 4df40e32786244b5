from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Invite
from accounts.services import people
from algomirror.ops import chain, journal
from algomirror.ops.alerts import channels
from algomirror.ops.alerts.models import AlertChannel, AlertRule
from algomirror.ops.api.models import Command
from tests.api.caller import Caller, account
from tests.strategies import stage

pytestmark = pytest.mark.django_db
NEVER = (None, None)


def test_the_board_is_run_and_read(owner: Caller) -> None:
    one, two = account(1), account(2)
    assert owner.get("readiness").json()["checks"] == []
    ran = owner.post("readiness/run")
    assert ran.status_code == 202
    told = owner.get("readiness").json()
    assert {row["account"] for row in told["checks"]} == {0, one.pk, two.pk}
    assert told["red"] == sum(row["state"] == "RED" for row in told["checks"]) > 0
    limited = Caller.of(stage.alice(), scopes=("read", "exit"), accounts=[one.pk])
    assert {row["account"] for row in limited.get("readiness").json()["checks"]} == {0, one.pk}


def test_the_chain_is_verified(owner: Caller) -> None:
    journal.record("x.y", actor="user:alice")
    told = owner.get("audit/verify").json()
    assert (told["intact"], told["checked"], told["broken"]) == (True, 0, None)
    assert "cut" in owner.get("audit/verify", remembered=f"7:{'a' * 64}").json()["why"]
    assert owner.get("audit/verify", remembered="nonsense").status_code == 400
    assert owner.get("audit").json()["results"] == owner.get("journal").json()["results"] != []
    limited = Caller.of(stage.alice(), scopes=("read",), accounts=[account(1).pk])
    assert limited.get("audit/verify").status_code == 403
    assert chain.verify().is_intact


def test_channels_are_seen_without_what_they_need_tried_and_given_other_classes(owner: Caller) -> None:
    pager = channels.make("TELEGRAM", "pager", {"token": "sealed-token", "chat": "1"}, quiet=NEVER, by="user:alice")
    other = channels.make("BROWSER", "screen", {}, quiet=NEVER, by="user:alice")
    told = owner.get("alert-channels")
    assert "sealed-token" not in told.content.decode() and len(told.json()["results"]) == 2
    changed = owner.send("PUT", "alert-rules", {"channel": pager.pk, "classes": ["EXIT", "BLIND"]}).json()
    assert {row["name"]: row["classes"] for row in changed["results"]}["pager"] == ["BLIND", "EXIT"]
    assert AlertRule.objects.filter(channel=other).count() > 2, "the other channel keeps its classes"
    assert owner.send("PUT", "alert-rules", {"channel": pager.pk, "classes": ["NOISE"]}).status_code == 400
    assert owner.send("PUT", "alert-rules", {"channel": 10**6, "classes": []}).status_code == 404
    tried = owner.post(f"alert-channels/{other.pk}/test").json()
    assert (tried["sent"], tried["trouble"]) == (True, "")
    assert AlertChannel.objects.get(pk=other.pk).last_sent_at is not None
    assert owner.post("alert-channels/999999/test").status_code == 404


def test_a_trial_that_fails_is_a_failure_of_the_channel(owner: Caller, settings: Any) -> None:
    settings.TELEGRAM_URL = "http://127.0.0.1:9"
    pager = channels.make("TELEGRAM", "pager", {"token": "t", "chat": "1"}, quiet=NEVER, by="user:alice")
    tried = owner.post(f"alert-channels/{pager.pk}/test").json()
    assert not tried["sent"] and "could not be reached" in tried["trouble"]
    pager.refresh_from_db()
    assert (pager.failures_in_row, pager.last_sent_at) == (1, None)


def test_an_invitation_s_link_is_said_once(owner: Caller) -> None:
    made = owner.post("users/invite", {"role": "VIEWER"}, key="invite-one")
    assert made.status_code == 201
    link = made.json()["link"]
    assert people.open_invite(link.rpartition("/")[2]) is not None
    again = owner.post("users/invite", {"role": "VIEWER"}, key="invite-one").json()
    assert again["replayed"] and "link" not in again
    assert Invite.objects.count() == 1
    assert link.rpartition("/")[2] not in str(list(Command.objects.values()))
    assert owner.post("users/invite", {"role": "OWNER"}).status_code == 400
