"""`manage.py up`, as a person types it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from algomirror.kernel.errors import Misconfigured
from algomirror.ops.supervisor import ports
from tests.environment import free_port

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parent.parent.parent
START_LIMIT_S = 60.0


def _env(var: Path) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "DATABASE_URL")}
    return env | {"ALGOMIRROR_VAR": str(var), "WEB_PORT": str(free_port()), "REDIS_PORT": str(free_port())}


def _manage(env: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *argv], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_port_in_use_is_refused_by_the_name_of_its_variable(tmp_path: Path) -> None:
    env = _env(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(env["WEB_PORT"])))
        taken.listen()
        done = _manage(env, "up")
    assert done.returncode != 0
    assert f"{env['WEB_PORT']} (WEB_PORT)" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_taken_port_is_named_at_once() -> None:
    with socket.socket() as a, socket.socket() as b:
        for taken in (a, b):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
        wanted = {a.getsockname()[1]: "WEB_PORT", b.getsockname()[1]: "REDIS_PORT", free_port(): "SIM_PORT_BASE"}
        with pytest.raises(Misconfigured) as refusal:
            ports.require_free(wanted)
    assert "WEB_PORT" in str(refusal.value) and "REDIS_PORT" in str(refusal.value)
    assert "SIM_PORT_BASE" not in str(refusal.value)


def test_a_database_behind_the_code_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    done = _manage(_env(tmp_path), "up")
    assert done.returncode != 0
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(240)
def test_it_starts_everything_heals_a_killed_cluster_and_leaves_nothing(tmp_path: Path) -> None:
    env = _env(tmp_path)
    assert _manage(env, "migrate", "-v0").returncode == 0
    log = tmp_path / "log"
    with log.open("wb") as out:
        house = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        port = int(env["WEB_PORT"])
        _wait(lambda: ports.serves(port, "/readyz"), log)
        # The web answers before the last cluster has started on a busy machine.
        _wait(lambda: len(_clusters(house.pid)) == 3, log)
        victim = _clusters(house.pid)[0]
        workers = victim.children(recursive=True)
        victim.kill()
        _wait(lambda: len(_clusters(house.pid)) == 3 and not any(p.is_running() for p in workers), log)
        _wait(lambda: ports.serves(port, "/readyz"), log)
        everything = psutil.Process(house.pid).children(recursive=True)
        second = _manage({**env, "WEB_PORT": str(free_port()), "REDIS_PORT": str(free_port())}, "up")
        assert "already runs" in second.stderr
    finally:
        house.send_signal(signal.SIGINT)
        house.wait(30)
    assert house.returncode == 0, log.read_text()
    assert [p for p in everything if p.is_running()] == []


def _clusters(pid: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(pid).children():
        try:
            if "qcluster" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _wait(met: object, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not met():  # type: ignore[operator]
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.1)
