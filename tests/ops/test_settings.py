"""Without its secrets the program does not start; a fresh process proves it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SECRETS = ("DJANGO_SECRET_KEY", "ALGOMIRROR_FERNET_KEYS")


def _check(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("missing", SECRETS)
def test_it_does_not_start_without_a_secret_and_says_which(missing: str) -> None:
    done = _check({k: v for k, v in os.environ.items() if k != missing})
    assert done.returncode != 0
    assert missing in done.stderr
    for name in SECRETS:
        assert os.environ[name] not in done.stderr + done.stdout


def test_it_does_not_start_with_a_sample_secret() -> None:
    done = _check({**os.environ, "DJANGO_SECRET_KEY": "change-me"})
    assert done.returncode != 0
    assert "algomirror.E001" in done.stderr


def test_an_environment_file_that_is_missing_is_an_error() -> None:
    done = _check({**os.environ, "ALGOMIRROR_ENV_FILE": "/nowhere/demo.env"})
    assert done.returncode != 0
    assert "/nowhere/demo.env" in done.stderr
