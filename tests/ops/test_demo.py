"""The demo's own state: made once, kept, and never mixed with a real installation's."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from algomirror.ops.supervisor import ports
from tests.e2e.house import START_S
from tests.environment import free_ports
from tests.patience import PATIENCE_S, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent


def _prepared(var: Path, **env: str) -> dict[str, str]:
    """The environment that a demo process has after preparing itself in `var`."""
    code = "import json, os; from algomirror.demo import environment; environment.prepare(); print(json.dumps(dict(os.environ)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "ALGOMIRROR_VAR": str(var), **env},
        capture_output=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_its_secrets_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    _prepared(tmp_path)
    file = tmp_path / "demo.env"
    first = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    _prepared(tmp_path)
    assert file.read_text() == first
    assert list(tmp_path.glob("demo.env.*")) == []


def test_two_demos_have_different_secrets(tmp_path: Path) -> None:
    secrets = set()
    for name in ("a", "b"):
        _prepared(tmp_path / name)
        secrets.add((tmp_path / name / "demo.env").read_text())
    assert len(secrets) == 2


def test_a_shell_set_up_for_a_real_installation_lends_the_demo_nothing(tmp_path: Path) -> None:
    env = _prepared(tmp_path, DATABASE_URL="postgresql://real/books", REDIS_URL="redis://real", DJANGO_SECRET_KEY="real")
    assert {"DATABASE_URL", "REDIS_URL", "DJANGO_SECRET_KEY", "ALGOMIRROR_FERNET_KEYS"}.isdisjoint(env)
    assert env["ALGOMIRROR_ENV_FILE"] == str(tmp_path / "demo.env")


def test_its_database_is_not_that_of_an_installation_in_the_same_place(tmp_path: Path) -> None:
    env = _prepared(tmp_path)
    code = "from algomirror import settings; print(settings.DATABASES['default']['NAME'], settings.DEMO, settings.DEBUG)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(tmp_path / "demo.sqlite3"), "True", "False"]


def test_there_is_no_demo_command_outside_the_demo() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "help", "--commands"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "up" in done.stdout.split()
    assert "demo" not in done.stdout.split()


class Demo:
    """`manage.py demo` in a directory of its own."""

    def __init__(self, var: Path) -> None:
        self.web = free_ports(10)
        self.log = var.parent / f"{var.name}.log"
        self.env = {k: v for k, v in os.environ.items() if k not in ("ALGOMIRROR_ENV_FILE", "DEBUG")} | {
            "ALGOMIRROR_VAR": str(var),
            "WEB_PORT": str(self.web),
            "REDIS_PORT": str(self.web + 1),
            "SIM_PORT_BASE": str(self.web + 2),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Demo:
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([sys.executable, "manage.py", "demo"], cwd=ROOT, env=self.env, stdout=out, stderr=out)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)

    def wait_until_ready(self) -> str:
        """All it said, once the line about the password is whole."""
        wait_for(
            lambda: "ready in" in (said := self.log.read_text()) and re.search(r"password  .*\n", said),
            "the demo to be ready",
            self.log.read_text,
            seconds=START_S,
        )
        return self.log.read_text()


@pytest.mark.processes
def test_it_becomes_ready_twice_and_shows_its_password_the_first_time_only(tmp_path: Path) -> None:
    with Demo(tmp_path / "var") as first:
        said = first.wait_until_ready()
        assert "3 paper accounts connected" in said
        with urllib.request.urlopen(f"http://127.0.0.1:{first.web}/", timeout=PATIENCE_S) as page:
            assert page.status == 200
        wait_for(lambda: ports.serves(first.web, "/healthz"), "a sign of life", first.log.read_text)
    password = said.split("password  ")[1].split()[0]
    with Demo(tmp_path / "var") as again:  # other ports: the accounts follow the simulator
        said = again.wait_until_ready()
    assert password not in said
    assert "make demo-password" in said


@pytest.mark.django_db
def test_the_password_satisfies_our_own_rules_and_a_new_one_replaces_it() -> None:
    from algomirror.demo import owner

    first = owner.create()
    assert first is not None and owner.create() is None
    user = owner.find()
    assert user is not None and user.is_owner and user.check_password(first)
    second = owner.reset()
    user.refresh_from_db()
    assert second is not None and user.check_password(second) and not user.check_password(first)
