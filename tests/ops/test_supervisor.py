"""Tiny real processes stand in for ours; the supervisor does to them what it does to all."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import SubprocessError

import psutil
import pytest

from algomirror.kernel import clock
from algomirror.ops.supervisor import leftovers
from algomirror.ops.supervisor.child import Child
from algomirror.ops.supervisor.output import Output
from algomirror.ops.supervisor.spec import Spec
from algomirror.ops.supervisor.supervisor import Supervisor
from tests.patience import PATIENCE_S, wait_for

pytestmark = pytest.mark.processes

SLEEPS = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
# Forks a worker that would outlive it, as django-q2's do.
FORKS = "import os, sys, time\nworker = os.fork()\nif worker: open(sys.argv[1], 'a').write(f'{worker}\\n')\ntime.sleep(600)"
SAYS_WHEN_ASKED = (
    "import signal, sys, time\n"
    "def leave(*_):\n    open(sys.argv[2], 'a').write(sys.argv[1] + '\\n'); sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, leave)\nprint('up', flush=True)\ntime.sleep(600)"
)


def spec(name: str, script: str, *args: str, **more: object) -> Spec:
    return Spec(name=name, argv=(sys.executable, "-c", script, *args), **more)  # type: ignore[arg-type]


class House:
    """A supervisor, and what it said."""

    def __init__(self, var: Path, *specs: Spec, **more: object) -> None:
        self.said = io.StringIO()
        self.ready_after: list[float] = []
        out = Output(self.said, [s.name for s in specs])
        options = {"cwd": var, "var": var, "ready": self.ready_after.append, "grace_s": PATIENCE_S, **more}
        self.supervisor = Supervisor(specs, out, **options)  # type: ignore[arg-type]

    def child(self, name: str) -> Child:
        return next(c for c in self.supervisor._children if c.spec.name == name)

    def until(self, met: Callable[[], bool]) -> None:
        deadline = clock.monotonic() + PATIENCE_S
        while not met():
            assert clock.monotonic() < deadline, self.said.getvalue()
            self.supervisor.turn()

    def close(self) -> None:
        self.supervisor.stop()
        self.supervisor.run()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def make(*specs: Spec, **more: object) -> House:
        made.append(House(tmp_path, *specs, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert [p.pid for p in psutil.Process().children() if p.cwd() == str(tmp_path)] == []


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_what_dies_is_started_again_at_once(house: Callable[..., House]) -> None:
    one = house(spec("web", SLEEPS))
    one.until(lambda: one.child("web").is_running)
    first = one.child("web").pid
    os.kill(first, signal.SIGKILL)
    died_at = clock.monotonic()
    one.until(lambda: one.child("web").starts == 2)
    # The wait itself is 0.2 s (below); the next one would be 0.4 s, and the longest half a minute.
    assert clock.monotonic() - died_at < 10
    assert one.child("web").pid != first
    assert "web ended (SIGKILL)" in one.said.getvalue()


def test_workers_of_a_dead_process_are_killed_before_a_new_one_starts(house: Callable[..., House], tmp_path: Path) -> None:
    workers = tmp_path / "workers"
    one = house(spec("risk", FORKS, str(workers)))
    one.until(lambda: workers.exists() and workers.read_text().endswith("\n"))
    orphan = int(workers.read_text())
    os.kill(one.child("risk").pid, signal.SIGKILL)
    one.until(lambda: one.child("risk").starts == 2)
    wait_for(lambda: is_gone(orphan), "the killed worker to be gone")


def test_each_quick_death_doubles_the_wait_and_a_steady_life_resets_it(tmp_path: Path) -> None:
    with clock.use(clock.FrozenClock(clock.now())) as still:
        assert isinstance(still, clock.FrozenClock)
        child = Child(spec("feed", "raise SystemExit(1)"), cwd=tmp_path)

        def live_for(seconds: float) -> None:
            child.start().close()
            assert child.process is not None
            child.process.wait(PATIENCE_S)
            still.advance(seconds)
            assert child.reap() == 1

        for wait_s in (0.2, 0.4, 0.8, 1.6):
            live_for(0)
            still.advance(wait_s - 0.01)
            assert not child.is_due
            still.advance(0.01)
            assert child.is_due
        live_for(10)
        still.advance(0.2)
        assert child.is_due


@pytest.mark.parametrize(
    "refusal", [BlockingIOError(11, "no more processes"), MemoryError(), SubprocessError("preexec_fn")], ids=repr
)
def test_what_the_host_refuses_to_start_again_takes_nobody_with_it(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    """The host has no memory for a while: the kernel killed one of ours, and a new process is refused."""
    one = house(spec("feed", SLEEPS), spec("web", SLEEPS))
    one.until(lambda: one.child("web").is_running and one.child("feed").is_running)
    feed, web = one.child("feed").pid, one.child("web")
    with monkeypatch.context() as full:

        def refuse() -> None:
            raise refusal

        full.setattr(web, "start", refuse)
        os.kill(web.pid, signal.SIGKILL)
        one.until(lambda: one.said.getvalue().count("web cannot be started") >= 2)
    one.until(lambda: web.is_running)
    assert one.child("feed").pid == feed and one.supervisor._asked_to_stop == 0


def test_a_full_disk_ends_no_process(house: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    one = house(spec("feed", SLEEPS), spec("web", SLEEPS))
    one.until(lambda: one.child("web").is_running and one.child("feed").is_running)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(leftovers, "record", no_space)
    os.kill(one.child("web").pid, signal.SIGKILL)
    one.until(lambda: one.child("web").starts == 2)
    assert one.child("feed").is_running and "No space left" in one.said.getvalue()


def test_what_cannot_be_started_at_all_stops_the_start(house: Callable[..., House]) -> None:
    one = house(Spec(name="web", argv=("/no/such/program",)))
    one.until(lambda: one.supervisor._asked_to_stop > 0)


def test_the_longest_wait_is_half_a_minute(tmp_path: Path) -> None:
    with clock.use(clock.FrozenClock(clock.now())) as still:
        assert isinstance(still, clock.FrozenClock)
        child = Child(spec("feed", "raise SystemExit(1)"), cwd=tmp_path)
        child._quick_deaths = 50
        child.start().close()
        assert child.process is not None
        child.process.wait(PATIENCE_S)
        child.reap()
        still.advance(30)
        assert child.is_due


def test_a_process_that_stands_still_is_killed_with_its_workers(house: Callable[..., House], tmp_path: Path) -> None:
    workers = tmp_path / "workers"
    stuck = [True]

    def judge_once(child: Child) -> str:
        if stuck and workers.exists() and workers.read_text().endswith("\n"):
            stuck.clear()
            return "its queue has not moved for 12 s"
        return ""

    one = house(spec("risk", FORKS, str(workers)), judge=judge_once)
    one.until(lambda: one.child("risk").starts == 2)
    wait_for(lambda: is_gone(int(workers.read_text().split()[0])), "the killed worker to be gone")
    assert "its queue has not moved for 12 s" in one.said.getvalue()


def test_stopping_asks_main_processes_first_and_what_they_need_last(house: Callable[..., House], tmp_path: Path) -> None:
    left = tmp_path / "left"
    one = house(
        spec("redis", SAYS_WHEN_ASKED, "redis", str(left), leaves_last=True),
        spec("web", SAYS_WHEN_ASKED, "web", str(left)),
    )
    one.until(lambda: one.said.getvalue().count("| up") == 2)
    one.close()
    assert left.read_text().split() == ["web", "redis"]


def test_only_the_main_process_is_asked_to_stop(house: Callable[..., House], tmp_path: Path) -> None:
    """A worker that is asked too makes qcluster hang."""
    script = (
        "import os, signal, sys, time\n"
        "def note(*_):\n    open(sys.argv[1], 'a').write(str(os.getpid()) + '\\n'); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, note)\nos.fork()\nos.write(1, b'up\\n')\ntime.sleep(600)"
    )
    asked = tmp_path / "asked"
    one = house(spec("risk", script, str(asked)))
    one.until(lambda: one.said.getvalue().count("| up") == 2)
    main = one.child("risk").pid
    one.close()
    assert asked.read_text().split() == [str(main)]


def test_what_does_not_stop_in_time_is_killed(house: Callable[..., House]) -> None:
    one = house(spec("web", STUBBORN), grace_s=1.0)
    one.until(lambda: "| up" in one.said.getvalue())
    pid = one.child("web").pid
    began = clock.monotonic()
    one.close()
    assert 1.0 <= clock.monotonic() - began < PATIENCE_S
    assert is_gone(pid)
    assert "web did not stop; killed" in one.said.getvalue()


def test_a_process_waits_for_what_it_needs(house: Callable[..., House], tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    one = house(spec("redis", SLEEPS, is_ready=gate.exists), spec("web", SLEEPS, needs=("redis",)))
    for _ in range(5):
        one.supervisor.turn()
    assert one.child("redis").is_running and not one.child("web").is_running
    assert one.ready_after == []
    gate.touch()
    one.until(lambda: one.child("web").is_running)
    one.until(lambda: len(one.ready_after) == 1)


def test_a_single_job_is_repeated_until_it_succeeds_and_then_left_alone(house: Callable[..., House], tmp_path: Path) -> None:
    script = "import pathlib, sys\np = pathlib.Path(sys.argv[1])\nseen = p.exists()\np.touch()\nsys.exit(0 if seen else 1)"
    one = house(spec("accounts", script, str(tmp_path / "tried"), once=True), spec("web", SLEEPS))
    one.until(lambda: one.child("accounts").is_done)
    assert one.child("accounts").starts == 2
    one.until(lambda: one.ready_after != [])
    for _ in range(5):
        one.supervisor.turn()
    assert one.child("accounts").starts == 2


def test_every_line_is_shown_behind_its_speakers_name(house: Callable[..., House]) -> None:
    one = house(spec("web", f"import os; os.write(1, b'first\\nsecond'); {SLEEPS}"))
    one.until(lambda: "first" in one.said.getvalue())
    one.close()
    assert "web | first\n" in one.said.getvalue()
    assert "web | second\n" in one.said.getvalue()
    assert "\033[" not in one.said.getvalue()
