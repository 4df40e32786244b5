from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from strategies.domain import signals
from strategies.models import Version
from strategies.webhooks import receive, services
from strategies.webhooks.models import Signal, Webhook
from tests.strategies import stage
from tests.webhooks import sender


@pytest.fixture
def version() -> Version:
    return stage.saved([stage.account(1)])


def last() -> Signal:
    found = Signal.objects.first()
    assert found is not None
    return found


@pytest.mark.parametrize("how", ["wrong secret", "no secret", "off", "source", "signature"])
def test_who_is_not_recognised_gets_401_and_is_not_told_why(version: Version, how: str) -> None:
    made = sender.made(version, sources=("10.0.0.0/8",) if how == "source" else ())
    said = sender.body(made, "stop")
    headers = {}
    if how == "wrong secret":
        said["secret"] = "guess"
    elif how == "no secret":
        del said["secret"]
    elif how == "off":
        Webhook.objects.update(enabled=False)
    elif how == "signature":  # a signature that is given counts, whatever secret is beside it
        headers = sender.sign("guess", json.dumps(said))
    answers = {sender.post(made, said, **headers).content.split(b"request_id")[0] for _ in range(2)}
    answers.add(sender.post(services.Made(Webhook(public_id="0" * 32), ""), said).content.split(b"request_id")[0])
    assert len(answers) == 1 and b"NOT_RECOGNISED" in answers.pop()
    assert last().verdict == "REFUSED"
    version.strategy.refresh_from_db()
    assert version.strategy.entries_enabled


def test_guesses_do_not_fill_the_log(version: Version) -> None:
    made = sender.made(version)
    for _ in range(receive.BAD_LOGGED_AN_HOUR + 5):
        sender.post(made, {"action": "stop", "secret": "guess"})
    assert Signal.objects.count() == receive.BAD_LOGGED_AN_HOUR


def test_the_secret_may_be_in_the_body_in_a_header_or_sign_the_body(version: Version) -> None:
    made = sender.made(version)
    bare = sender.body(made, "stop", secret=None)
    assert sender.post(made, sender.body(made, "stop")).status_code == 202
    assert sender.post(made, {**bare, "id": "2"}, **{"X-Webhook-Secret": made.secret}).status_code == 202
    raw = json.dumps({**bare, "id": "3"})
    assert sender.post(made, raw, **sender.sign(made.secret, raw)).status_code == 202
    assert sender.post(made, raw + " ", **sender.sign(made.secret, raw)).status_code == 401


def test_a_rotated_secret_works_on_for_a_day(version: Version, now: FrozenClock) -> None:
    made = sender.made(version)
    fresh = services.rotate(stage.alice(), made.hook)
    assert sender.send(made, "stop", id="a").verdict == "ACCEPTED"
    assert sender.send(fresh, "stop", id="b").verdict == "ACCEPTED"
    now.advance(24 * 3600 + 1)
    assert sender.post(made, sender.body(made, "stop")).status_code == 401
    assert sender.post(fresh, sender.body(fresh, "stop")).status_code == 202


@pytest.mark.parametrize(
    ("age_s", "verdict"), [(0, "ACCEPTED"), (60, "ACCEPTED"), (61, "STALE"), (-60, "ACCEPTED"), (-61, "STALE")]
)
def test_a_signal_is_at_most_a_minute_old(version: Version, age_s: int, verdict: str) -> None:
    made = sender.made(version)
    at = clock.now() - timedelta(seconds=age_s)
    assert sender.send(made, "stop", timestamp=at.isoformat()).verdict == verdict
    assert sender.send(made, "stop", timestamp=int(at.timestamp() * 1000), id="ms").verdict == verdict


def test_without_a_timestamp_a_replay_could_not_be_told_so_it_is_stale(version: Version) -> None:
    assert sender.send(sender.made(version), "stop", timestamp=None).verdict == "STALE"


def test_a_key_counts_once_for_seven_days(version: Version, now: FrozenClock) -> None:
    made = sender.made(version)
    assert [sender.send(made, "stop", id="x").verdict for _ in range(2)] == ["ACCEPTED", "DUPLICATE"]
    now.advance(7 * 86_400 + 1)
    assert sender.send(made, "stop", id="x").verdict == "ACCEPTED"


def test_without_a_key_the_same_body_within_a_minute_is_the_same_signal(version: Version) -> None:
    made = sender.made(version)
    said = sender.body(made, "stop")
    assert [sender.post(made, said).json()["verdict"] for _ in range(2)] == ["ACCEPTED", "DUPLICATE"]


def test_only_listed_acts_are_done(version: Version) -> None:
    made = sender.made(version, acts=("EXIT",))
    assert sender.send(made, "stop").verdict == "NOT_ALLOWED"


def test_a_large_body_is_refused_before_it_is_read(version: Version) -> None:
    made = sender.made(version)
    assert sender.post(made, "x" * (signals.MOST_BYTES + 1)).status_code == 413


def test_the_log_holds_no_secret(version: Version) -> None:
    made = sender.made(version)
    sender.send(made, "stop", reason="because")
    assert made.secret not in str(list(Signal.objects.values())) and "because" in last().body


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    raw=st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
        st.fixed_dictionaries(
            {"action": st.sampled_from(["start", "exit", "kill", 7, None])},
            optional={
                name: st.none() | st.text() | st.integers() | st.floats() | st.booleans() | st.lists(st.integers())
                for name in ("timestamp", "id", "account", "secret", "reason")
            },
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_nothing_that_is_sent_breaks_the_reader(raw: bytes) -> None:
    found = signals.read(raw)
    assert isinstance(found, (str, signals.Message))
    if isinstance(found, signals.Message):
        signals.is_young(found.sent_at, clock.now())
        assert found.account is None or 0 < found.account < 2**63


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe", b"[]", b"{}", b"null", b'{"action": "start"', b'{"action": {"a": 1}}', b'"start"', b"[" * 9000]
)
def test_nonsense_from_a_known_sender_is_unreadable_and_changes_nothing(version: Version, raw: bytes) -> None:
    made = sender.made(version)
    answer = sender.post(made, raw, **{"X-Webhook-Secret": made.secret})
    assert answer.status_code == 202 and answer.json()["verdict"] == "UNREADABLE"
