"""`manage.py up`, as a person types it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest
from playwright.sync_api import expect

from algomirror.kernel.errors import Misconfigured
from algomirror.ops.supervisor import ports
from tests.e2e.browser import a_page
from tests.environment import end_with_us, free_port, free_ports
from tests.patience import PATIENCE_S, wait_for

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parent.parent.parent


def _env(var: Path) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "DATABASE_URL")}
    return env | {"ALGOMIRROR_VAR": str(var), "WEB_PORT": str(free_port()), "REDIS_PORT": str(free_port())}


def _manage(env: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *argv], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_S
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


class Up(NamedTuple):
    process: subprocess.Popen[bytes]
    env: dict[str, str]
    log: Path

    @property
    def port(self) -> int:
        return int(self.env["WEB_PORT"])


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """An empty installation, as a person begins it."""
    var = tmp_path_factory.mktemp("up")
    env = _env(var)
    assert _manage(env, "migrate", "-v0").returncode == 0
    refused = _manage(env, "up")
    assert refused.returncode != 0 and "Run: python manage.py collectstatic" in refused.stderr
    assert _manage(env, "load_reference", "-v0").returncode == 0
    assert _manage(env, "collectstatic", "--no-input", "-v0").returncode == 0
    with (var / "log").open("wb") as out:
        process = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=ROOT, env=env, stdout=out, stderr=out)
    running = Up(process, env, var / "log")
    try:
        wait_for(lambda: ports.serves(running.port, "/readyz"), "everything to be ready", running.log.read_text)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


@pytest.fixture
def far() -> Iterator[int]:
    """The port of somebody's OpenAlgo server with a key of 64 letters."""
    base = free_ports(4)
    sim = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--accounts", "1", "--port-base", str(base), "--always-open", "--strikes", "5"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    end_with_us(sim)
    try:
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{base}/state", timeout=2).status_code == 200, "the simulator")
        yield base
    finally:
        sim.terminate()
        sim.wait(PATIENCE_S)


@pytest.mark.browser
def test_the_first_visitor_becomes_the_owner_and_connects_an_account(up: Up, far: int) -> None:
    account = httpx.get(f"http://127.0.0.1:{far}/state").json()["accounts"][0]
    with a_page(refused=1) as page:
        page.goto(f"http://127.0.0.1:{up.port}/")
        page.get_by_role("link", name="Create owner").click()
        page.get_by_label("Username").fill("anil")
        page.get_by_label("E-mail").fill("anil@example.in")
        page.get_by_label("Password", exact=True).fill("seven-Tall-9-horses")
        page.get_by_label("again").fill("seven-Tall-9-horses")
        page.get_by_role("button", name="Create owner").click()
        expect(page.get_by_role("heading", name="Add account")).to_be_visible()
        page.get_by_label("Name", exact=True).fill("Mine")
        page.get_by_label("Host").fill(account["rest_url"])
        page.get_by_label("WebSocket").fill(account["ws_url"])
        page.get_by_label("API key").fill(account["api_key"][::-1])
        page.get_by_role("button", name="Test and add").click()
        expect(page.get_by_role("alert").first).to_contain_text("key")
        page.get_by_label("API key").fill(account["api_key"])
        page.get_by_role("button", name="Test and add").click()
        expect(page.get_by_role("heading", name="Accounts", exact=True)).to_be_visible()
        expect(page.get_by_role("region", name="Mine")).to_contain_text("up")
        page.goto(f"http://127.0.0.1:{up.port}/chain")
        # The list comes by itself within a minute; a person presses the button, unless it is on its way or there already.
        page.get_by_role("button", name="Import now").or_(page.locator("tr.atm")).first.click()
        expect(page.locator("tr.atm")).to_be_visible()


def test_it_heals_a_killed_cluster_and_leaves_nothing(up: Up) -> None:
    house, log = up.process, up.log
    # The web answers before the last cluster has started on a busy machine.
    wait_for(lambda: len(_clusters(house.pid)) == 3, "three clusters", log.read_text)
    victim = _clusters(house.pid)[0]
    workers = victim.children(recursive=True)
    victim.kill()
    wait_for(lambda: len(_clusters(house.pid)) == 3, "a cluster in its place", log.read_text)
    wait_for(lambda: not any(_is_alive(p) for p in workers), "its workers to be gone", log.read_text)
    wait_for(lambda: ports.serves(up.port, "/readyz"), "everything to be ready again", log.read_text)
    everything = psutil.Process(house.pid).children(recursive=True)
    second = _manage({**up.env, "WEB_PORT": str(free_port()), "REDIS_PORT": str(free_port())}, "up")
    assert "already runs" in second.stderr
    house.send_signal(signal.SIGINT)
    house.wait(PATIENCE_S)
    assert house.returncode == 0, log.read_text()
    wait_for(lambda: not any(_is_alive(p) for p in everything), "all of it to be gone", log.read_text)


def _is_alive(process: psutil.Process) -> bool:
    """A zombie is only waiting for whoever inherited it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _clusters(pid: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(pid).children():
        try:
            if "qcluster" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found
