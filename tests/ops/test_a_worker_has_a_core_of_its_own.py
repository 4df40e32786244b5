"""In processes of their own: what keeps to one core here would keep this whole run to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORES = sorted(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="this machine has one core")

WORKER = """
import os, sys, threading
import django
django.setup()
from algomirror.ops import cores
core = cores.keep_to_one()
seen = []
thread = threading.Thread(target=lambda: seen.append(sorted(os.sched_getaffinity(0))))
thread.start()
thread.join()
print(core, seen[0] == ([core] if core is not None else sorted(os.sched_getaffinity(0))), flush=True)
sys.stdin.read()
"""


def _worker(var: Path, cores: list[int] = CORES) -> subprocess.Popen[str]:
    def keep_to() -> None:
        os.sched_setaffinity(0, cores)

    return subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=ROOT,
        env={**os.environ, "ALGOMIRROR_VAR": str(var)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=keep_to,
    )


def _said(worker: subprocess.Popen[str]) -> tuple[str, str]:
    assert worker.stdout is not None
    core, is_kept = worker.stdout.readline().split()
    return core, is_kept


def test_each_takes_another_and_who_comes_late_none(tmp_path: Path) -> None:
    workers = []
    try:
        for core in CORES:
            workers.append(_worker(tmp_path))
            assert _said(workers[-1]) == (str(core), "True"), "and so do its threads"
        workers.append(_worker(tmp_path))
        assert _said(workers[-1]) == ("None", "True"), "it goes wherever it likes"
        workers[0].kill()
        workers[0].wait()
        workers.append(_worker(tmp_path))
        assert _said(workers[-1]) == (str(CORES[0]), "True"), "the core of a killed one is free"
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_where_there_is_one_core_or_no_lock_to_be_had_nothing_changes(tmp_path: Path) -> None:
    for core in CORES:
        (tmp_path / "unfit" / f"core-{core}.lock").mkdir(parents=True)
    for worker in (_worker(tmp_path, CORES[:1]), _worker(tmp_path / "unfit")):
        assert _said(worker) == ("None", "True")
        worker.kill()
        worker.communicate()
