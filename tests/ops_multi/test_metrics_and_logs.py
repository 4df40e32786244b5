from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from algomirror import settings as settings_file
from algomirror.kernel import clock
from algomirror.ops import alarms, heartbeat, queue
from algomirror.ops.logs import JsonFormatter
from algomirror.ops.models import Check
from risk.models import RiskEvent
from tests import cast
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db


def figures() -> dict[tuple[str, tuple[str, ...]], float]:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_orders_waits_queues_and_signs_of_life_are_told() -> None:
    account = cast.account()
    book = cast.book(account, cast.run())
    cast.order(book, state="UNKNOWN")
    cast.fill(cast.order(book, state="ACCEPTED", action="BUY", symbol=cast.PUT), price="80.00")
    heartbeat.beat("feed", state="LIVE", ticks=7, index_age_s=0.4)
    alarms.ring("BLIND", "no price")
    queue.client().rpush("django_q:risk:q", "a", "b")
    told = figures()
    assert told["algomirror_orders_unknown", ()] == 1
    assert told["algomirror_orders_today", ("ENTRY", "FILLED")] == 1
    assert told["algomirror_order_wire_to_fill_seconds_count", ()] == 1
    assert told["algomirror_order_wire_to_fill_seconds_bucket", ("+Inf",)] == 1
    assert told["algomirror_queue_depth", ("risk",)] == 2
    assert told["algomirror_heartbeat_age_seconds", ("feed",)] < 5
    assert told["algomirror_feed_detail", ("ticks",)] == 7
    assert told["algomirror_link_up", (str(account.pk),)] == 1
    assert told["algomirror_alarms_ringing", ("BLIND",)] == 1
    assert told["algomirror_redis_up", ()] == 1


def test_no_money_no_name_and_no_secret_is_told() -> None:
    account = cast.account("Zerodha Anil")
    cast.position(cast.book(account, cast.run("Iron condor")), price="9876543.20")
    text = Client().get("/metrics").content.decode()
    # So many digits that the seconds of a call do not have them by chance.
    assert "Anil" not in text and "condor" not in text and "9876543" not in text and account.key_fingerprint not in text


@pytest.mark.parametrize(
    ("token", "sent", "address", "status"),
    [
        ("", "", "127.0.0.1", 200),
        ("", "", "10.0.0.7", 403),
        ("", "", "", 403),
        ("t0k", "Bearer t0k", "10.0.0.7", 200),
        ("t0k", "Bearer no", "10.0.0.7", 403),
        ("t0k", "", "127.0.0.1", 403),
    ],
)
def test_only_this_machine_or_the_token_may_look(settings, token: str, sent: str, address: str, status: int) -> None:  # type: ignore[no-untyped-def]
    settings.METRICS_TOKEN = token
    assert Client().get("/metrics", headers={"Authorization": sent}, REMOTE_ADDR=address).status_code == status


def test_a_json_line_has_its_words_as_fields_ist_time_and_no_secret() -> None:
    record = logging.LogRecord(
        "trading", logging.INFO, "x.py", 1, "sent order=%s took_s=%.2f api_key=%s", (7, 0.5, "CANARY"), None
    )
    row = json.loads(JsonFormatter().format(record))
    assert (row["order"], row["took_s"], row["level"], row["logger"]) == ("7", "0.50", "info", "trading")
    assert row["at"].endswith("+05:30") and "CANARY" not in str(row)


def test_money_stays_text_in_the_line() -> None:
    record = logging.LogRecord("trading", logging.INFO, "x.py", 1, "fill price=%s", (Decimal("104.25"),), None)
    assert json.loads(JsonFormatter().format(record))["price"] == "104.25"


def test_the_wait_from_the_tick_to_its_exit_goal_is_told() -> None:
    """Forty milliseconds old when it was judged, ten more until the goal stood."""
    book = cast.book(cast.account(), run := cast.run())
    now = clock.now()
    goal = ExitGoal.objects.create(
        book=book, reason="MAX_LOSS", asked_by="engine:tick", requested_at=now, state=ExitGoal.State.REQUESTED
    )
    legs = [{"key": "NFO:A", "age_ms": 40}, {"key": "NFO:B", "age_ms": 900}, {"key": "NFO:C", "age_ms": None}]
    given = {"run": run, "kind": "MAX_LOSS", "action": "EXIT", "numbers": {"legs": legs}}
    RiskEvent.objects.create(at=now - timedelta(milliseconds=10), seen_by="tick", goal_ids=[goal.pk], **given)
    RiskEvent.objects.create(at=now, seen_by="sweep", goal_ids=[goal.pk], **given)
    RiskEvent.objects.create(at=now, seen_by="tick", goal_ids=[], **given)
    told = figures()
    name = "algomirror_tick_to_exit_goal_seconds"
    assert told[f"{name}_count", ()] == 1
    assert told[f"{name}_sum", ()] == pytest.approx(0.05)
    assert (told[f"{name}_bucket", ("0.025",)], told[f"{name}_bucket", ("0.05",)]) == (0, 1)


def test_the_board_and_the_backups_are_told(settings: Any, tmp_path: Path) -> None:
    now = clock.now()
    Check.objects.create(name="disk", state="RED", since=now, checked_at=now)
    settings.BACKUP_DIR = str(tmp_path)
    assert ("algomirror_backup_age_seconds", ()) not in figures()
    (tmp_path / f"algomirror-{now - timedelta(hours=1):%Y%m%dT%H%M%S.%fZ}.sqlite3").touch()
    told = figures()
    assert told["algomirror_readiness_lines", ("RED",)] == 1
    assert 3_600 <= told["algomirror_backup_age_seconds", ()] < 3_700


def test_every_figure_of_the_shipped_dashboard_and_alerts_is_told() -> None:
    """A panel over a name that nobody tells stays empty for ever."""
    text = Client().get("/metrics").content.decode()
    known = {family.name for family in text_string_to_metric_families(text)}
    wanted = set()
    for name in ("grafana.json", "alerts.yml"):
        wanted |= set(re.findall(r"algomirror_[a-z_]+", (settings_file.BASE_DIR / "deploy" / name).read_text()))
    bare = {re.sub(r"_(bucket|count|sum)$", "", one) for one in wanted}
    assert bare - known == set()
