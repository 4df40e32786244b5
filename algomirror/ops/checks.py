"""Wrong settings, found at start. Each has an id and a test."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

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


@register(deploy=True)
def demo_is_not_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.DEMO:
        return [Warning("ALGOMIRROR_DEMO is on: sample accounts and keys are in use.", id="algomirror.W001")]
    return []
