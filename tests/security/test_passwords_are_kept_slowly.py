"""The tests themselves make users cheaply (tests/conftest.py); an installation does not."""

from __future__ import annotations

from algomirror import settings


def test_argon2_comes_first() -> None:
    assert settings.PASSWORD_HASHERS[0] == "django.contrib.auth.hashers.Argon2PasswordHasher"
