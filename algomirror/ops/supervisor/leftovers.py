"""Process groups that an earlier `up` could not take with it are found by its record and killed before a new start."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

FILE = "up.pids"


def record(var: Path, groups: dict[str, int]) -> None:
    """Write down which groups are ours, before anything can go wrong with them."""
    rows = []
    for name, pid in groups.items():
        with suppress(psutil.NoSuchProcess):
            rows.append({"name": name, "pid": pid, "born": psutil.Process(pid).create_time()})
    draft = var / f"{FILE}.new"
    draft.write_text(json.dumps({"boot": _boot(), "groups": rows}))
    draft.replace(var / FILE)


def forget(var: Path) -> None:
    (var / FILE).unlink(missing_ok=True)


def kill(var: Path, *, cwd: Path, programs: Iterable[str] = ()) -> list[str]:
    """Kill what the record names and is provably ours; the names of what was killed."""
    path = var / FILE
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    killed: list[str] = []
    # Process numbers mean nothing after a reboot.
    if known.get("boot") == _boot():
        ours = {os.path.realpath(p) for p in (sys.executable, *programs)}
        for row in known.get("groups", []):
            if _kill_group(row, cwd, ours):
                killed.append(str(row["name"]))
    forget(var)
    return killed


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time()))


def _kill_group(row: dict[str, Any], cwd: Path, ours: set[str]) -> bool:
    group = int(row["pid"])
    members = [p for p in psutil.process_iter() if _belongs(p, group, float(row["born"]), cwd, ours)]
    for process in members:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(members, timeout=3)
    return bool(members)


def _belongs(process: psutil.Process, group: int, born: float, cwd: Path, ours: set[str]) -> bool:
    try:
        if os.getpgid(process.pid) != group or os.getsid(process.pid) != group:
            return False
        if process.pid == group and abs(process.create_time() - born) > 1:
            return False
        return (
            process.create_time() >= born - 1
            and process.cwd() == os.path.realpath(cwd)
            and os.path.realpath(process.exe()) in ours
        )
    except (psutil.Error, OSError):
        return False
