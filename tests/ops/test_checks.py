from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

GOOD_KEY = "S88Fej5yMR_2cJyjxAgNH6JhjOOvpPmm9NJXYYQVkGI="


def _ids(*, deploy: bool = False) -> set[str]:
    return {m.id for m in run_checks(include_deployment_checks=deploy) if m.id and m.id.startswith("algomirror.")}


def test_the_settings_of_the_tests_are_sound() -> None:
    assert _ids() == set()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"SECRET_KEY": "change-me"}, "algomirror.E001"),
        ({"SECRET_KEY": "x" * 31}, "algomirror.E001"),
        ({"FERNET_KEYS": []}, "algomirror.E002"),
        ({"FERNET_KEYS": [GOOD_KEY, "not a key"]}, "algomirror.E003"),
        ({"WEB_PORT": 80}, "algomirror.E004"),
        ({"SIM_PORT_BASE": 65_001}, "algomirror.E004"),
        ({"WEB_PORT": 8000, "REDIS_PORT": 8000}, "algomirror.E005"),
        ({"QUOTE_FRESH_STREAM_S": 0.0}, "algomirror.E006"),
        ({"BLIND_ALARM_S": 61.0, "BLIND_ACTION_S": 60.0}, "algomirror.E006"),
        ({"LAPSE_READS": 0}, "algomirror.E007"),
        ({"POLL_WORKING_S": -1.0}, "algomirror.E007"),
        ({"Q_CLUSTER": {"workers": 0, "ALT_CLUSTERS": {}}}, "algomirror.E007"),
        ({"RATE_API": "600/h"}, "algomirror.E008"),
        ({"RATE_GLOBAL": "lots"}, "algomirror.E008"),
        ({"RATE_AUTH": "0/m"}, "algomirror.E008"),
        ({"TRUSTED_PROXIES": ["the proxy"]}, "algomirror.E009"),
        ({"EGRESS_ADDRESSES": ["203.0.113.7", "203.0.113"]}, "algomirror.E009"),
        ({"REDIS_URL": "localhost:6379"}, "algomirror.E010"),
        ({"READINESS_BLOCKS": ["gateway", "mod"]}, "algomirror.E011"),
    ],
)
def test_each_wrong_combination_has_its_own_name(settings: Any, changed: dict[str, Any], expected: str) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    assert _ids() == {expected}


@pytest.mark.parametrize(
    "changed",
    [
        {"SECRET_KEY": "x" * 32},
        {"WEB_PORT": 1024},
        {"SIM_PORT_BASE": 65_000},
        {"BLIND_ALARM_S": 60.0},
        {"LAPSE_READS": 1},
        {"RATE_API": "1/m"},
        {"TRUSTED_PROXIES": ["172.30.0.0/24", "::1"]},
        {"READINESS_BLOCKS": []},
        {"READINESS_BLOCKS": ["contracts NFO", "feed", "clock", "cluster risk"]},
    ],
)
def test_the_values_at_the_borders_are_sound(settings: Any, changed: dict[str, Any]) -> None:
    for name, value in changed.items():
        setattr(settings, name, value)
    assert _ids() == set()


def test_a_demo_is_not_taken_for_production(settings: Any) -> None:
    settings.DEMO = True
    assert "algomirror.W001" in _ids(deploy=True)
    settings.DEMO = False
    assert "algomirror.W001" not in _ids(deploy=True)
