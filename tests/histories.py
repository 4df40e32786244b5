"""Long histories of the order machine on all cores, with what is done shown as it goes: `python -m tests.histories`.

AM_EXAMPLES histories (20,000) from AM_FIRST (0) of AM_SEED (new each time), in AM_PROCESSES processes (one per core). What
was broken off and what went wrong is told in these words, so that it can be run later, and alone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

TEST = "tests/trading/test_order_machine.py"
ROOT = Path(__file__).resolve().parent.parent
SAY_EVERY_S = 10.0


@dataclass(frozen=True)
class Part:
    """Histories `first` … `first + count - 1`, run by one process."""

    first: int
    count: int
    process: subprocess.Popen[bytes]
    place: Path

    def done(self) -> int:
        file = self.place / f"done-{self.process.pid}"
        # The simplest history there is, which is none of ours, may be counted too.
        return min(file.read_bytes().count(b"\n"), self.count) if file.exists() else 0

    def told(self) -> Path:
        return self.place / f"told-{self.first}"


def shares(first: int, count: int, processes: int) -> list[tuple[int, int]]:
    """Consecutive parts that differ by one history at most."""
    each, more = divmod(count, processes)
    out = []
    for n in range(min(processes, count)):
        size = each + (n < more)
        out.append((first, size))
        first += size
    return out


def _number(name: str, default: int) -> int:
    said = os.environ.get(name, "")
    if not said:
        return default
    if not said.isdecimal():
        raise SystemExit(f"{name}: {said!r} is no whole number from 0")
    return int(said)


def _start(seed: int, first: int, count: int, place: Path) -> Part:
    wanted = {"AM_SOAK": "1", "AM_SEED": str(seed), "AM_FIRST": str(first), "AM_EXAMPLES": str(count), "AM_PROGRESS": str(place)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST]
    with (place / f"told-{first}").open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **wanted}, stdout=out, stderr=out)
    return Part(first, count, process, place)


def _say(words: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {words}\n")
    sys.stdout.flush()


def _watch(parts: list[Part], place: Path, count: int) -> None:
    """Says every few seconds how far they are, and each violation in full as soon as it is found."""
    started, told = time.monotonic(), set[Path]()
    while True:
        running = any(part.process.poll() is None for part in parts)
        for file in sorted(set(place.glob("violation-*")) - told):
            told.add(file)
            _say(f"VIOLATION\n{file.read_text()}")
        done = sum(part.done() for part in parts)
        rate = done / (time.monotonic() - started)
        left = f"{(count - done) / rate / 60:.0f} min left" if rate else "starting"
        _say(f"{done}/{count} histories, {rate:.1f} per second, {left}, {len(told)} violations")
        if not running:
            return
        _wait(parts)


def _wait(parts: list[Part]) -> None:
    ends = time.monotonic() + SAY_EVERY_S
    while time.monotonic() < ends and any(part.process.poll() is None for part in parts):
        time.sleep(0.2)


def main() -> int:
    seed = _number("AM_SEED", SystemRandom().randrange(2**32))
    first, count = _number("AM_FIRST", 0), _number("AM_EXAMPLES", 20_000)
    # Asked to stop, it stops its processes and says what is left.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    processes = max(_number("AM_PROCESSES", os.cpu_count() or 1), 1)
    with tempfile.TemporaryDirectory(prefix="algomirror-histories-") as named:
        place = Path(named)
        parts = [_start(seed, *share, place) for share in shares(first, count, processes)]
        _say(f"{count} histories from AM_SEED={seed} AM_FIRST={first}, in {len(parts)} processes")
        try:
            _watch(parts, place, count)
        finally:
            for part in parts:
                part.process.terminate()
                part.process.wait()
            _say_what_is_left(parts, seed)
    return 1 if any(part.process.returncode for part in parts) else 0


def _say_what_is_left(parts: list[Part], seed: int) -> None:
    for part in parts:
        # The one being run when it was broken off is run again.
        done = part.done() if part.process.returncode in (0, 1) else max(part.done() - 1, 0)
        if left := part.count - done:
            _say(f"not run: AM_SEED={seed} AM_FIRST={part.first + done} AM_EXAMPLES={left}\n{part.told().read_text()[-4000:]}")


if __name__ == "__main__":
    sys.exit(main())
