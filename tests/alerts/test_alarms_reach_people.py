from __future__ import annotations

import hashlib
import hmac
from datetime import time
from typing import Any

import pytest

from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.kernel.errors import Refused
from algomirror.ops import alarms
from algomirror.ops.alerts import channels, deliver
from algomirror.ops.alerts.models import AlertChannel, AlertDelivery, AlertRule
from algomirror.ops.models import Alarm
from tests.alerts import far
from tests.cast import FRIDAY

pytestmark = pytest.mark.django_db
NEVER = (None, None)


def webhook(inbox: far.Inbox, name: str = "pager", **more: Any) -> AlertChannel:
    return channels.make("WEBHOOK", name, {"url": f"{inbox.url}/in"}, quiet=more.pop("quiet", NEVER), by="user:alice")


def test_a_signed_webhook_carries_account_run_numbers_age_and_a_link(inbox: far.Inbox) -> None:
    channel = webhook(inbox)
    alarms.ring("STOP_TRIPPED", "Condor lost ₹5,000", run_id=12, account_id=3, loss="-5000.00")
    assert deliver.run() == 1
    path, headers, raw = inbox.posts[0]
    said = inbox.bodies()[0]
    assert path == "/in" and (said["run"], said["account"], said["numbers"]) == (12, 3, {"loss": "-5000.00"})
    assert "https://desk.example.org/runs/12" in said["text"] and said["class"] == "STOP" and said["age_s"] == 0
    signed = headers["x-algomirror-timestamp"].encode() + b"." + raw
    good = hmac.new(channels.secret_of(channel).encode(), signed, hashlib.sha256).hexdigest()
    assert headers["x-algomirror-signature"] == f"sha256={good}"


def test_telegram_gets_its_message(inbox: far.Inbox) -> None:
    channels.make("TELEGRAM", "phone", {"token": "7:abc", "chat": "99"}, quiet=NEVER, by="user:alice")
    alarms.ring("BLIND", "no price")
    deliver.run()
    assert inbox.posts[0][0] == "/bot7:abc/sendMessage" and inbox.bodies()[0]["chat_id"] == "99"


def test_e_mail_gets_its_message() -> None:
    with far.mail() as inbox:
        config = {
            "host": "127.0.0.1",
            "port": inbox.port,
            "security": "none",
            "sender": "a@example.org",
            "recipient": "b@example.org",
        }
        channels.make("EMAIL", "mail", config, quiet=NEVER, by="user:alice")
        alarms.ring("BLIND", "no price of NIFTY")
        assert deliver.run() == 1
        assert "no price of NIFTY" in inbox.mails[0] and "To: b@example.org" in inbox.mails[0]


def test_an_alarm_is_sent_once_however_often_it_is_seen_and_planned(inbox: far.Inbox) -> None:
    webhook(inbox)
    alarms.ring("REFERENCE_DISPUTED", "lots differ")
    for _ in range(3):
        alarms.ring("REFERENCE_DISPUTED", "lots differ")
        deliver.run()
    assert len(inbox.posts) == 1


def test_a_failing_channel_is_tried_again_later_and_holds_up_no_other(inbox: far.Inbox, now: FrozenClock) -> None:
    dead = channels.make("WEBHOOK", "a dead one", {"url": "http://127.0.0.1:9/in"}, quiet=NEVER, by="user:alice")
    webhook(inbox, "zz alive")
    alarms.ring("OTHER_THING", "hello")
    assert deliver.run() == 1
    waiting = AlertDelivery.objects.get(channel=dead)
    assert (waiting.state, waiting.attempts) == ("WAITING", 1) and "could not be reached" in waiting.error
    assert [c.name for c in deliver.failing()] == ["a dead one"]
    deliver.run()
    waiting.refresh_from_db()
    assert waiting.attempts == 1
    now.advance(5)
    deliver.run()
    waiting.refresh_from_db()
    assert waiting.attempts == 2 and len(inbox.posts) == 1


def test_it_gives_up_when_repeating_cannot_help_and_after_eight_attempts_otherwise(inbox: far.Inbox, now: FrozenClock) -> None:
    webhook(inbox)
    inbox.status = 404
    alarms.ring("OTHER_THING", "one")
    deliver.run()
    assert AlertDelivery.objects.get().state == "FAILED"
    inbox.status = 503
    alarms.ring("OTHER_THING", "two", key="2")
    for _ in range(12):
        deliver.run()
        now.advance(901)
    last = AlertDelivery.objects.order_by("id").last()
    assert last is not None and (last.state, last.attempts) == ("FAILED", deliver.MOST_ATTEMPTS)


def test_a_redirect_is_not_followed(inbox: far.Inbox) -> None:
    webhook(inbox)
    inbox.status = 302
    alarms.ring("OTHER_THING", "one")
    assert deliver.run() == 0 and "answered 302" in AlertDelivery.objects.get().error


def test_what_was_being_sent_when_a_worker_died_is_sent_again(inbox: far.Inbox, now: FrozenClock) -> None:
    webhook(inbox)
    alarms.ring("OTHER_THING", "one")
    deliver.plan()
    AlertDelivery.objects.update(state="SENDING", attempts=1, not_before=clock.now())
    assert deliver.run() == 0
    now.advance(60)
    assert deliver.run() == 1


def test_quiet_hours_delay_what_may_wait_and_nothing_else(inbox: far.Inbox, now: FrozenClock) -> None:
    webhook(inbox, quiet=(time(22, 0), time(7, 0)))
    now.set(FRIDAY.replace(hour=20, minute=0, second=0))  # 01:30 in India
    alarms.ring("REFERENCE_DISPUTED", "lots differ")
    alarms.ring("EXIT_STUCK", "exit of run 3", run_id=3)
    deliver.run()
    assert [said["kind"] for said in inbox.bodies()] == ["EXIT_STUCK"]
    Alarm.objects.filter(kind="EXIT_STUCK").update(state="ACKNOWLEDGED")
    now.advance(5.5 * 3600 - 1)
    assert deliver.run() == 0
    now.advance(1)
    assert deliver.run() == 1


def test_what_nobody_acknowledges_repeats_and_widens(inbox: far.Inbox, now: FrozenClock) -> None:
    webhook(inbox, "first")
    second = webhook(inbox, "second")
    AlertRule.objects.filter(channel=second).delete()
    alarms.ring("KILL_SWITCH", "halted")
    sent = [deliver.run()]
    for _ in range(4):
        now.advance(60)
        sent.append(deliver.run())
    assert sent == [1, 1, 1, 2, 2]
    alarms.acknowledge(Alarm.objects.get().pk, who="user:alice")
    now.advance(60)
    assert deliver.run() == 0


def test_what_was_acknowledged_meanwhile_is_dropped(inbox: far.Inbox) -> None:
    webhook(inbox)
    alarms.ring("OTHER_THING", "one")
    deliver.plan()
    alarms.acknowledge(Alarm.objects.get().pk, who="user:alice")
    assert deliver.run() == 0 and AlertDelivery.objects.get().state == "DROPPED" and inbox.posts == []


def test_a_new_channel_is_not_told_old_stories(inbox: far.Inbox, now: FrozenClock) -> None:
    alarms.ring("OTHER_THING", "yesterday")
    now.advance(1)
    webhook(inbox)
    assert deliver.run() == 0


def test_metadata_addresses_are_refused() -> None:
    with pytest.raises(Refused):
        channels.make("WEBHOOK", "x", {"url": "http://169.254.169.254/latest"}, quiet=NEVER, by="user:alice")


def test_secrets_are_sealed_and_in_no_error(inbox: far.Inbox, caplog: pytest.LogCaptureFixture) -> None:
    channel = channels.make("TELEGRAM", "phone", {"token": "7:CANARY", "chat": "9"}, quiet=NEVER, by="user:alice")
    assert b"CANARY" not in bytes(channel.sealed_config)
    inbox.status = 500
    alarms.ring("OTHER_THING", "one")
    deliver.run()
    assert channels.try_now(channel) == "Telegram answered 500"
    everything = str(list(AlertDelivery.objects.values())) + str(list(AlertChannel.objects.values())) + caplog.text
    assert "CANARY" not in everything
