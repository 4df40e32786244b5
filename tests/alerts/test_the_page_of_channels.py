from __future__ import annotations

import json

import pytest

from algomirror.ops import hooks
from algomirror.ops.alerts.models import AlertChannel, AlertRule
from tests.alerts import far
from tests.cast import alice, bob, signed_in
from tests.page_rules import inline_parts, text_of

pytestmark = pytest.mark.django_db


def test_a_channel_is_made_tried_switched_and_removed() -> None:
    page = signed_in(alice())
    with far.http() as inbox:
        made = page.post("/alerts/settings", {"kind": "WEBHOOK", "name": "pager", "url": f"{inbox.url}/in"})
        channel = AlertChannel.objects.get()
        assert "not shown again" in text_of(made) and inline_parts(made) == []
        shown = page.get("/alerts/settings")
        assert "pager" in text_of(shown) and inline_parts(shown) == []
        page.post(f"/alerts/channels/{channel.pk}/test")
        assert inbox.bodies()[0]["kind"] == "TEST"
    page.post("/alerts/rules", {"rule": [f"{channel.pk}:KILL", f"{channel.pk}:NONSENSE", "x:KILL", "999:KILL"]})
    assert list(AlertRule.objects.values_list("channel_id", "event_class")) == [(channel.pk, "KILL")]
    page.post(f"/alerts/channels/{channel.pk}/switch", {"enabled": "0"})
    assert not AlertChannel.objects.get().enabled
    page.post(f"/alerts/channels/{channel.pk}/remove")
    assert not AlertChannel.objects.exists()


def test_what_is_missing_is_named_and_nothing_is_saved() -> None:
    answer = signed_in(alice()).post("/alerts/settings", {"kind": "TELEGRAM", "name": "phone", "chat": "9"})
    assert answer.status_code == 422 and "is needed" in text_of(answer) and not AlertChannel.objects.exists()


def test_only_the_owner_sees_it() -> None:
    viewer = signed_in(bob())
    assert viewer.get("/alerts/settings").status_code == 403
    assert viewer.post("/alerts/rules").status_code == 403
    assert signed_in(None).get("/alerts/settings").status_code == 302


def test_quiet_hours_are_kept_with_the_channel() -> None:
    with far.http() as inbox:
        form = {"kind": "WEBHOOK", "name": "night", "url": f"{inbox.url}/in", "quiet_from": "22:00", "quiet_to": "06:30"}
        signed_in(alice()).post("/alerts/settings", form)
    made = AlertChannel.objects.get()
    assert (f"{made.quiet_from:%H:%M}", f"{made.quiet_to:%H:%M}") == ("22:00", "06:30")


def test_the_login_of_a_mail_server_is_kept_sealed_and_not_shown() -> None:
    form = {"kind": "EMAIL", "name": "mail", "host": "127.0.0.1", "port": "25", "security": "none", "sender": "a@example.org"}
    page = signed_in(alice())
    page.post("/alerts/settings", {**form, "recipient": "b@example.org", "user": "desk", "password": "pass-of-the-desk"})
    kept = json.loads(hooks.call("unseal", AlertChannel.objects.get().sealed_config))
    assert (kept["user"], kept["password"]) == ("desk", "pass-of-the-desk")
    assert "pass-of-the-desk" not in text_of(page.get("/alerts/settings"))
