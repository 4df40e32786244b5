"""The pages as a process of their own, on the database and the Redis of the test that asks."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from tests.environment import free_port
from tests.patience import PATIENCE_S, wait_for
from tests.simulator.conftest import ROOT


@dataclass(frozen=True)
class Web:
    url: str
    port: int
    pid: int


@contextmanager
def pages() -> Iterator[Web]:
    port = free_port()
    env = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "ALGOMIRROR_VAR": str(settings.VAR_DIR),
        "DEBUG": "1",  # static files without collectstatic
    }
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "algomirror.asgi:application"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=PATIENCE_S)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    try:
        wait_for(answers, "the pages")
        yield Web(url, port, process.pid)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
