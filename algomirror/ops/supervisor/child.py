"""One supervised process: started in a group of its own, restarted with back-off, killed with all it forked."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from algomirror.kernel import clock
from algomirror.ops.supervisor.deathsig import die_with
from algomirror.ops.supervisor.spec import Spec

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 30.0
STEADY_AFTER_S = 10.0


class Child:
    def __init__(self, spec: Spec, *, cwd: Path) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at: datetime | None = None
        self.is_ready = False
        self.is_done = False
        self.starts = 0
        self._cwd = cwd
        self._started = 0.0
        self._quick_deaths = 0
        self._may_start_at = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def is_running(self) -> bool:
        return self.process is not None

    @property
    def is_due(self) -> bool:
        return self.process is None and not self.is_done and clock.monotonic() >= self._may_start_at

    def start(self) -> IO[bytes]:
        """Start it and return the pipe of everything it says."""
        parent = os.getpid()
        self.process = subprocess.Popen(
            self.spec.argv,
            cwd=self._cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.spec.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),
        )
        self.starts += 1
        self._started = clock.monotonic()
        self.started_at = clock.now()
        assert self.process.stdout is not None
        return self.process.stdout

    def reap(self) -> int | None:
        """Its exit status when it has ended, after killing what it left behind; None while it lives."""
        if self.process is None:
            return None
        status = self.process.poll()
        if status is None:
            return None
        self.kill_group()
        self.process = None
        if self.spec.once and status == 0:
            self.is_done = True
            return status
        lived_s = clock.monotonic() - self._started
        self._put_off(is_quick=lived_s < STEADY_AFTER_S)
        return status

    def not_started(self) -> None:
        """The host refused a process, for lack of memory or of numbers: it is tried again like one that died at once."""
        self._put_off(is_quick=True)

    def _put_off(self, *, is_quick: bool) -> None:
        self._quick_deaths = self._quick_deaths + 1 if is_quick else 0
        wait_s = min(FIRST_WAIT_S * 2 ** max(self._quick_deaths - 1, 0), LONGEST_WAIT_S)
        self._may_start_at = clock.monotonic() + wait_s

    def terminate(self) -> None:
        """Ask the main process alone: qcluster hangs when its workers are asked too."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.terminate()

    def kill_group(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
