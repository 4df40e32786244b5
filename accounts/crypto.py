"""Sealing of broker keys: MultiFernet, keys from the environment, the first seals and all open."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from algomirror.kernel.errors import Misconfigured

_LOST = "a sealed key cannot be opened with ALGOMIRROR_FERNET_KEYS: was a key removed too early?"


def _box() -> MultiFernet:
    if not settings.FERNET_KEYS:
        raise Misconfigured("ALGOMIRROR_FERNET_KEYS is empty")
    return MultiFernet([Fernet(k) for k in settings.FERNET_KEYS])


def seal(secret: str) -> bytes:
    return _box().encrypt(secret.encode())


def unseal(sealed: bytes | memoryview) -> str:
    try:
        return _box().decrypt(bytes(sealed)).decode()
    except InvalidToken:
        raise Misconfigured(_LOST) from None


def reseal(sealed: bytes | memoryview) -> bytes:
    """The same secret under the newest key."""
    try:
        return _box().rotate(bytes(sealed))
    except InvalidToken:
        raise Misconfigured(_LOST) from None


def fingerprint(secret: str) -> str:
    """Recognises a duplicate key without keeping the key; keyed, so that it cannot be guessed from outside."""
    return hmac.new(settings.SECRET_KEY.encode(), secret.strip().encode(), hashlib.sha256).hexdigest()
