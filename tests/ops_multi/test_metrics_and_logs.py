from __future__ import annotations

import json
import logging
from decimal import Decimal

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from algomirror.ops import alarms, heartbeat, queue
from algomirror.ops.logs import JsonFormatter
from tests import cast

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
    cast.position(cast.book(account, cast.run("Iron condor")), price="104.00")
    text = Client().get("/metrics").content.decode()
    assert "Anil" not in text and "condor" not in text and "104" not in text and account.key_fingerprint not in text


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
