"""From a terminal to a running house: refuse what cannot work, clear what was left behind, then supervise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from typing import IO

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from algomirror.kernel.errors import Misconfigured
from algomirror.ops import schedules
from algomirror.ops.supervisor import leftovers, plan, ports
from algomirror.ops.supervisor.child import Child
from algomirror.ops.supervisor.lock import only_one
from algomirror.ops.supervisor.output import Output
from algomirror.ops.supervisor.spec import Spec
from algomirror.ops.supervisor.supervisor import Supervisor
from algomirror.ops.supervisor.watch import judge, wake_pusher

Say = Callable[[str], None]
Ready = Callable[[float, Say], None]


def run(
    stream: IO[str],
    *,
    simulated_accounts: int = 0,
    then: tuple[Spec, ...] = (),
    before: Callable[[], None] = lambda: None,
    ready: Ready | None = None,
) -> None:
    """Run everything until Ctrl-C or SIGTERM. Raises Misconfigured, having started nothing, when it cannot work.

    `before` prepares the installation once it is certain that nothing else runs on it.
    """
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    with only_one(settings.VAR_DIR):
        killed = leftovers.kill(settings.VAR_DIR, cwd=plan.root(), programs=[plan.redis_program()])
        require_free_ports(simulated_accounts)
        before()
        require_sound_installation()
        schedules.ensure()
        connection.close()
        specs = plan.processes(simulated_accounts=simulated_accounts, then=then)
        out = Output(stream, [s.name for s in specs])
        if killed:
            out.say(f"killed what an earlier start left behind: {', '.join(killed)}")

        def tell(seconds: float) -> None:
            (ready or _ready)(seconds, out.say)

        Supervisor(specs, out, cwd=plan.root(), var=settings.VAR_DIR, judge=judge, restarted=after_restart, ready=tell).run()


def require_free_ports(simulated_accounts: int = 0) -> None:
    host_of = {settings.WEB_PORT: settings.WEB_HOST}
    ports.require_free(plan.wanted_ports(simulated_accounts=simulated_accounts), host_of=host_of)


def require_sound_installation() -> None:
    """Raise when a system check finds an error or the database is behind the code."""
    call_command("check", stdout=StringIO())
    executor = MigrationExecutor(connection)
    behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if behind:
        names = ", ".join(f"{m.app_label}.{m.name}" for m, _ in behind[:3])
        raise Misconfigured(f"{len(behind)} migrations are not applied ({names} …). Run: python manage.py migrate")
    if not settings.DEBUG and (missing := _not_collected()):
        names = ", ".join(missing[:3])
        raise Misconfigured(
            f"{len(missing)} files of the pages are not collected ({names} …): every page would fail."
            " Run: python manage.py collectstatic --no-input"
        )


def _not_collected() -> list[str]:
    """Files that pages name and the web server could not find."""
    collected = ManifestStaticFilesStorage().hashed_files
    ours = (name for finder in get_finders() for name, _ in finder.list([]))
    return sorted(name for name in ours if name not in collected)


def after_restart(child: Child, children: Sequence[Child]) -> None:
    """Queue readers sleep after Redis went away; wake them as soon as it is back."""
    if child.spec.name == "redis":
        for cluster in (c for c in children if c.spec.cluster):
            wake_pusher(cluster)


def url() -> str:
    host = "127.0.0.1" if settings.WEB_HOST in ("0.0.0.0", "::") else settings.WEB_HOST
    return f"http://{host}:{settings.WEB_PORT}/"


def _ready(seconds: float, say: Say) -> None:
    say(f"ready in {seconds:.1f} s: {url()}  (Ctrl-C stops everything)")
