from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.test import Client, override_settings

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = Fernet.generate_key().decode()


def check(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ALLOWED_HOSTS": "desk.example.com", "HTTPS": "true", **environment},
    )


def test_a_server_behind_https_with_its_keys_in_a_file_passes_every_check(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\n{Fernet.generate_key().decode()}\n")
    done = check(ALGOMIRROR_FERNET_KEYS_FILE=str(file))
    assert done.returncode == 0, done.stderr


def test_without_a_sealing_key_nothing_starts(tmp_path: Path) -> None:
    empty = tmp_path / "empty.env"
    empty.touch()
    missing = {k: v for k, v in os.environ.items() if k != "ALGOMIRROR_FERNET_KEYS"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**missing, "ALGOMIRROR_ENV_FILE": str(empty)},
    )
    assert done.returncode != 0 and "ALGOMIRROR_FERNET_KEYS" in done.stderr


@pytest.mark.django_db
@override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=31_536_000)
def test_under_https_pages_are_pinned_to_it() -> None:
    assert Client().get("/login").headers["Location"] == "https://testserver/login"
    answer = Client().get("/login", secure=True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.django_db
def test_every_page_carries_the_strict_headers() -> None:
    headers = Client().get("/login").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert headers["Referrer-Policy"] == "same-origin"
