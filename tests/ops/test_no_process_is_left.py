"""However the supervisor ends, nothing of it goes on trading."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from algomirror.kernel.errors import Misconfigured
from algomirror.ops.supervisor import leftovers
from algomirror.ops.supervisor.lock import only_one
from tests.patience import PATIENCE_S, wait_for

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parent.parent.parent

# A supervisor with one child that, like a cluster, forks a worker of its own.
SUPERVISES = """
import sys, io
from pathlib import Path
from algomirror.ops.supervisor.spec import Spec
from algomirror.ops.supervisor.output import Output
from algomirror.ops.supervisor.supervisor import Supervisor
var = Path(sys.argv[1])
child = '''
import os, sys, time
from algomirror.ops.supervisor.deathsig import forks_die_with_this_process
forks_die_with_this_process()
worker = os.fork()
if worker:
    open(sys.argv[1], "w").write(f"{os.getpid()} {worker}\\\\n")
time.sleep(600)
'''
Supervisor([Spec(name="risk", argv=(sys.executable, "-c", child, str(var / "pids")))],
           Output(io.StringIO(), ["risk"]), cwd=Path.cwd(), var=var).run()
"""


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _supervise(var: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    process = subprocess.Popen([sys.executable, "-c", SUPERVISES, str(var)], cwd=ROOT)
    pids = var / "pids"
    wait_for(lambda: pids.exists() and pids.read_text().endswith("\n"), "the child and its worker")
    return process, [int(p) for p in pids.read_text().split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's parent-death signal is Linux's")
def test_a_killed_supervisor_takes_children_and_their_workers_with_it(tmp_path: Path) -> None:
    process, pids = _supervise(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)
    wait_for(lambda: all(is_gone(p) for p in pids), "child and worker to be gone")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's parent-death signal is Linux's")
def test_workers_of_a_killed_main_process_die_with_it(tmp_path: Path) -> None:
    process, (main, worker) = _supervise(tmp_path)
    (tmp_path / "pids").unlink()
    os.kill(main, signal.SIGKILL)
    wait_for(lambda: is_gone(worker), "the worker to be gone")
    process.terminate()
    process.wait(PATIENCE_S)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_supervisor_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    process, pids = _supervise(tmp_path)
    process.send_signal(how)
    assert process.wait(PATIENCE_S) == 0
    wait_for(lambda: all(is_gone(p) for p in pids), "child and worker to be gone")
    assert not (tmp_path / leftovers.FILE).exists()


def _group(cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=cwd, start_new_session=True)


def test_a_recorded_group_that_is_ours_is_killed_at_the_next_start(tmp_path: Path) -> None:
    group = _group(tmp_path)
    leftovers.record(tmp_path, {"risk": group.pid})
    assert leftovers.kill(tmp_path, cwd=tmp_path) == ["risk"]
    assert is_gone(group.pid)
    assert leftovers.kill(tmp_path, cwd=tmp_path) == []


def test_a_stranger_that_got_a_recorded_number_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stranger = _group(elsewhere)
    try:
        leftovers.record(tmp_path, {"risk": stranger.pid})
        assert leftovers.kill(tmp_path, cwd=tmp_path) == []
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_record_of_an_earlier_boot_or_a_broken_one_kills_nothing(tmp_path: Path) -> None:
    group = _group(tmp_path)
    try:
        leftovers.record(tmp_path, {"risk": group.pid})
        path = tmp_path / leftovers.FILE
        path.write_text(path.read_text().replace('"boot": "', '"boot": "another-'))
        assert leftovers.kill(tmp_path, cwd=tmp_path) == []
        path.write_text("{not json")
        assert leftovers.kill(tmp_path, cwd=tmp_path) == []
        assert group.poll() is None
    finally:
        group.kill()
        group.wait()


def test_a_second_copy_on_the_same_state_is_refused_and_another_state_is_not(tmp_path: Path) -> None:
    here, there = tmp_path / "a", tmp_path / "b"
    here.mkdir()
    there.mkdir()
    with only_one(here):
        with only_one(there):
            pass
        with pytest.raises(Misconfigured, match="ALGOMIRROR_VAR"), only_one(here):
            pass
    with only_one(here):
        pass
