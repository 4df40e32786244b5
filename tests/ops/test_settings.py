"""Without its secrets the program does not start; a fresh process proves it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from algomirror.variables import Variables

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


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("int", "abc", "AM_X=abc is not a whole number"),
        ("int", "1.5", "AM_X=1.5 is not a whole number"),
        ("bool", "maybe", "AM_X=maybe is not true or false"),
        ("float", "nan", "AM_X=nan is not a number"),
        ("float", "inf", "AM_X=inf is not a number"),
    ],
)
def test_what_cannot_be_read_is_named_and_never_guessed(
    monkeypatch: pytest.MonkeyPatch, kind: str, value: str, said: str
) -> None:
    monkeypatch.setenv("AM_X", value)
    with pytest.raises(ImproperlyConfigured, match=re.escape(said)):
        getattr(Variables(), kind)("AM_X", default=1)


def test_what_can_be_read_is_read_and_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AM_INT": " 7 ", "AM_ON": "Yes", "AM_OFF": "0", "AM_FLOAT": "0.5", "AM_NONE": " "}.items():
        monkeypatch.setenv(name, value)
    env = Variables()
    assert (env.int("AM_INT"), env.bool("AM_ON"), env.bool("AM_OFF", default=True), env.float("AM_FLOAT")) == (
        7,
        True,
        False,
        0.5,
    )
    assert (env.int("AM_NONE", default=3), env.bool("AM_NONE", default=True), env.float("AM_GONE", default=2.0)) == (3, True, 2.0)
    assert env.one_of("AM_NONE", ("line", "json")) == "line"
    with pytest.raises(ImproperlyConfigured, match="AM_INT=7 is none of line, json"):
        env.one_of("AM_INT", ("line", "json"))
    with pytest.raises(ImproperlyConfigured, match="AM_GONE"):
        env.int("AM_GONE")


def test_a_wrong_variable_stops_the_start_with_a_sentence() -> None:
    done = _check({**os.environ, "WEB_PORT": "abc"})
    assert done.returncode != 0
    assert "Not started: WEB_PORT=abc is not a whole number" in done.stderr and "Traceback" not in done.stderr


def test_the_folder_of_the_state_is_made_and_a_file_in_its_place_is_said(tmp_path: Path) -> None:
    """A fresh clone has none, and the README's first command is `migrate`."""
    place = tmp_path / "not" / "there"
    assert _check({**os.environ, "ALGOMIRROR_VAR": str(place)}).returncode == 0
    assert place.is_dir() and place.stat().st_mode & 0o077 == 0
    (tmp_path / "file").write_text("")
    done = _check({**os.environ, "ALGOMIRROR_VAR": str(tmp_path / "file")})
    assert done.returncode != 0 and "ALGOMIRROR_VAR=" in done.stderr and "Traceback" not in done.stderr


def test_the_first_key_is_made_before_there_is_a_setting() -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("ALGOMIRROR_", "DJANGO_", "DATABASE"))}
    done = subprocess.run(
        [sys.executable, "manage.py", "new_key"], cwd=ROOT, env=bare, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    Fernet(done.stdout.strip())
