"""How fast the demo is there again, and how much memory all of it takes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time

import psutil

from bench.figure import Figure, report

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 300.0
SETTLE_S = 15.0
MB = 1024 * 1024


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    for base in range(21_000 + os.getpid() % 5_000, 31_000, count):
        try:
            for port in range(base, base + count):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise RuntimeError("no free ports")


class Demo:
    """`make demo`, timed from the moment it is typed."""

    def __init__(self, var: Path) -> None:
        self.port = free_ports(10)
        self.log = var.parent / "demo.log"
        self.env = os.environ | {
            "ALGOMIRROR_VAR": str(var),
            "WEB_PORT": str(self.port),
            "REDIS_PORT": str(self.port + 1),
            "SIM_PORT_BASE": str(self.port + 2),
        }
        self.began = time.monotonic()
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                ["make", "demo"], cwd=ROOT, env=self.env, stdout=out, stderr=out, start_new_session=True
            )

    def wait_for_page(self) -> float:
        while not self._shows_a_page():
            self._give_up_if_late()
            time.sleep(0.05)
        return time.monotonic() - self.began

    def wait_until_ready(self) -> float:
        while "ready in" not in self.log.read_text():
            self._give_up_if_late()
            time.sleep(0.05)
        return time.monotonic() - self.began

    def memory(self) -> tuple[float, float]:
        """(proportional, resident) MiB of all processes. Resident counts shared pages once per process."""
        pss = rss = 0.0
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                used = process.memory_full_info()
            except psutil.NoSuchProcess:
                continue
            pss += getattr(used, "pss", used.uss) / MB
            rss += used.rss / MB
        return pss, rss

    def stop(self) -> float:
        began = time.monotonic()
        everything = psutil.Process(self.process.pid).children(recursive=True)
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(60)
        left = [p for p in everything if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if left:
            raise RuntimeError(f"left behind: {left}")
        return time.monotonic() - began

    def _shows_a_page(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _give_up_if_late(self) -> None:
        if time.monotonic() - self.began > LIMIT_S or self.process.poll() is not None:
            raise RuntimeError(self.log.read_text()[-3000:])


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="algomirror-bench-") as place:
        var = Path(place) / "var"
        first = Demo(var)
        first_ready_s = first.wait_until_ready()
        first.stop()
        second = Demo(var)
        page_s = second.wait_for_page()
        ready_s = second.wait_until_ready()
        time.sleep(SETTLE_S)
        pss, rss = second.memory()
        stop_s = second.stop()
    name = "startup"
    return report(
        [
            Figure(name, "first start with packages installed, to ready", round(first_ready_s, 2), "s", None, "lower"),
            Figure(name, "second start to first page", round(page_s, 2), "s", 15, "lower"),
            Figure(name, "second start to ready", round(ready_s, 2), "s", 15, "lower"),
            Figure(name, "memory of all processes, proportional", round(pss), "MiB", 1200, "lower"),
            Figure(name, "memory of all processes, resident sum", round(rss), "MiB", None, "lower"),
            Figure(name, "stop", round(stop_s, 2), "s", 12, "lower"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
