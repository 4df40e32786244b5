"""Time-based one-time codes (RFC 6238, SHA-1, six digits, 30 seconds: what every authenticator app speaks)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
# One step to either side: a phone's clock may be off, and typing takes time.
DRIFT_STEPS = 1


def new_secret() -> str:
    """160 random bits in base 32, as apps and people take it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def step_of(at: datetime) -> int:
    return int(at.timestamp()) // STEP_S


def code_at(secret: str, step: int) -> str:
    mac = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    start = mac[-1] & 0x0F
    number = int.from_bytes(mac[start : start + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: str, typed: str, at: datetime) -> int | None:
    """The newest time step near `at` whose code was typed; None when there is none."""
    now = step_of(at)
    found = None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), typed.encode()):
            found = step
    return found


def enrolment_uri(secret: str, *, who: str, issuer: str = "AlgoMirror") -> str:
    query = urlencode({"secret": secret, "issuer": issuer, "digits": DIGITS, "period": STEP_S})
    return f"otpauth://totp/{quote(issuer)}:{quote(who)}?{query}"
