"""In processes of their own: what keeps to one core here would keep this whole run to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORES = sorted(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="this machine has one core")

# Names of this test's own: houses may run beside.
WORKER = """
import os, sys, threading
from algomirror.ops import cores
allowed = [int(core) for core in sys.argv[2].split(",")]
os.sched_setaffinity(0, allowed)
cores._NAME = sys.argv[1]
core = cores.keep_to_one()
seen = []
thread = threading.Thread(target=lambda: seen.append(sorted(os.sched_getaffinity(0))))
thread.start()
thread.join()
print(core, seen[0] == (allowed if core is None else [core]), flush=True)
sys.stdin.read()
"""


def _worker(name: str, cores: Sequence[int] = CORES) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER.replace("sys.argv[1]", repr(name)), "", ",".join(map(str, cores))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _said(worker: subprocess.Popen[str]) -> tuple[str, str]:
    assert worker.stdout is not None
    core, is_kept = worker.stdout.readline().split()
    return core, is_kept


def test_each_takes_another_and_who_comes_late_none() -> None:
    name = f"\0test-core-{os.getpid()}-{{}}"
    workers, taken = [], []
    try:
        for _ in CORES:
            workers.append(_worker(name))
            core, is_kept = _said(workers[-1])
            assert is_kept == "True", "and so do its threads"
            taken.append(core)
        assert sorted(taken) == sorted(map(str, CORES))
        workers.append(_worker(name))
        assert _said(workers[-1]) == ("None", "True"), "it goes wherever it likes"
        workers[0].kill()
        workers[0].wait()
        workers.append(_worker(name))
        assert _said(workers[-1]) == (taken[0], "True"), "the core of a killed one is free"
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_where_there_is_one_core_or_no_name_to_be_had_nothing_changes(tmp_path: Path) -> None:
    for worker in (_worker("\0alone-{}", CORES[:1]), _worker(str(tmp_path / "is not there" / "{}"))):
        try:
            assert _said(worker) == ("None", "True")
        finally:
            worker.kill()
            worker.communicate()
