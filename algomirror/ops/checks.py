"""Wrong settings, found at start. Each has an id and a test."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

ABOVE_ZERO = (
    "QUOTE_FRESH_REST_S", "FEED_SYMBOL_CAP", "FEED_FAIL_BACK_S", "FEED_DARK_ALARM_S", "SKEW_AMBER_S", "SKEW_RED_S",
    "ORDER_TIMEOUT_S", "READ_TIMEOUT_S", "CONNECT_TIMEOUT_S", "ORDERS_PER_SECOND", "READS_PER_SECOND", "WIRE_THREADS",
    "POLL_WORKING_S", "POLL_OPEN_S", "POLL_IDLE_S", "LAPSE_READS", "LAPSE_AFTER_S", "HEDGE_WAIT_S", "REPEG_S",
    "EXIT_SLOW_S", "EXIT_STUCK_S", "PLAN_LIFE_S", "MIS_CUTOFF_MIN", "BACKUPS_KEPT", "UPLOAD_MAX_BYTES", "DEMO_ACCOUNTS",
)  # fmt: skip
RATES = ("RATE_GLOBAL", "RATE_AUTH", "RATE_API", "RATE_HEAVY")
SAMPLE_SECRETS = {"", "change-me", "changeme", "secret", "your-secret-key"}


@register(Tags.security)
def secrets_are_real(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.SECRET_KEY.lower() in SAMPLE_SECRETS or len(settings.SECRET_KEY) < 32:
        found.append(Error("DJANGO_SECRET_KEY is a sample or shorter than 32 characters.", id="algomirror.E001"))
    if not settings.FERNET_KEYS:
        found.append(Error("ALGOMIRROR_FERNET_KEYS is empty: broker keys could not be sealed.", id="algomirror.E002"))
    for key in settings.FERNET_KEYS:
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error(
                    "ALGOMIRROR_FERNET_KEYS holds a value that is no Fernet key.",
                    hint="Make one with: python manage.py new_key",
                    id="algomirror.E003",
                )
            )
    return found


@register()
def ports_are_apart(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    ports = {"WEB_PORT": settings.WEB_PORT, "REDIS_PORT": settings.REDIS_PORT, "SIM_PORT_BASE": settings.SIM_PORT_BASE}
    found: list[CheckMessage] = [
        Error(f"{name}={port} is not a port (1024 to 65000).", id="algomirror.E004")
        for name, port in ports.items()
        if not 1024 <= port <= 65000
    ]
    if len(set(ports.values())) < len(ports):
        found.append(Error(f"Two of {ports} are the same port.", id="algomirror.E005"))
    return found


@register()
def freshness_is_ordered(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not 0 < settings.QUOTE_FRESH_STREAM_S <= settings.BLIND_ALARM_S <= settings.BLIND_ACTION_S:
        return [
            Error(
                "QUOTE_FRESH_STREAM_S, BLIND_ALARM_S and BLIND_ACTION_S must be positive and in rising order.",
                id="algomirror.E006",
            )
        ]
    return []


@register()
def numbers_are_above_zero(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    values = {name: getattr(settings, name) for name in ABOVE_ZERO}
    clusters = {"risk": settings.Q_CLUSTER, **settings.Q_CLUSTER["ALT_CLUSTERS"]}
    names = {"risk": "RISK_WORKERS", "orders": "ORDER_WORKERS", "signals": "SIGNAL_WORKERS"}
    values |= {names[cluster]: terms["workers"] for cluster, terms in clusters.items()}
    return [Error(f"{name}={value} must be above 0.", id="algomirror.E007") for name, value in values.items() if not value > 0]


@register()
def rates_are_a_minute(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    rates = {name: getattr(settings, name) for name in RATES}
    return [
        Error(f"{name}={rate} is not a number of requests a minute, as 100/m.", id="algomirror.E008")
        for name, rate in rates.items()
        if not re.fullmatch(r"[1-9]\d{0,6}/m", rate)
    ]


@register()
def addresses_are_addresses(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    named = [(name, each) for name in ("TRUSTED_PROXIES", "EGRESS_ADDRESSES") for each in getattr(settings, name)]
    return [Error(f"{name}: {each} is no address.", id="algomirror.E009") for name, each in named if not _is_address(each)]


def _is_address(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


@register()
def stores_can_be_asked(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    engine = str(settings.DATABASES["default"].get("ENGINE", ""))
    found: list[CheckMessage] = []
    if not engine.endswith((".sqlite", ".sqlite3", ".postgresql")):
        found.append(Error("DATABASE_URL is not postgresql://user:password@host/name.", id="algomirror.E010"))
    if urlsplit(settings.REDIS_URL).scheme not in ("redis", "rediss", "unix"):
        found.append(Error("REDIS_URL is not redis://host:port/number.", id="algomirror.E010"))
    return found


@register(deploy=True)
def demo_is_not_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.DEMO:
        return [Warning("ALGOMIRROR_DEMO is on: sample accounts and keys are in use.", id="algomirror.W001")]
    return []
