"""The loop: start what is due, show what is said, restart what died or stands still, stop in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import SubprocessError
from types import FrameType

from algomirror.kernel import clock
from algomirror.ops.supervisor import leftovers
from algomirror.ops.supervisor.child import Child
from algomirror.ops.supervisor.output import Output
from algomirror.ops.supervisor.spec import Spec

TICK_S = 0.1
LOOK_EVERY_S = 0.1
JUDGE_EVERY_S = 2.0
GRACE_S = 8.0

Judge = Callable[[Child], str]


def _nothing_wrong(child: Child) -> str:
    return ""


class Supervisor:
    def __init__(
        self,
        specs: Sequence[Spec],
        out: Output,
        *,
        cwd: Path,
        var: Path,
        judge: Judge = _nothing_wrong,
        restarted: Callable[[Child, Sequence[Child]], None] = lambda child, all_children: None,
        ready: Callable[[float], None] = lambda seconds: None,
        grace_s: float = GRACE_S,
    ) -> None:
        """`restarted` is told of every start after the first; `ready`, once, how long all took to become ready."""
        self._children = [Child(spec, cwd=cwd) for spec in specs]
        self._out = out
        self._var = var
        self._judge = judge
        self._restarted = restarted
        self._tell_ready = ready
        self._grace_s = grace_s
        self._asked_to_stop = 0
        self._judge_at = 0.0
        self._look_at = 0.0
        self._began = clock.monotonic()
        self._was_ready = False

    def run(self) -> None:
        """Until `stop()` or SIGINT or SIGTERM; afterwards no process of ours is left."""
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            while not self._asked_to_stop:
                self.turn()
        finally:
            self._shut_down()
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        self._asked_to_stop += 1

    def turn(self) -> None:
        for child in self._children:
            self._tend(child)
        if clock.monotonic() >= self._look_at:
            self._look_at = clock.monotonic() + LOOK_EVERY_S
            self._note_ready()
        if clock.monotonic() >= self._judge_at:
            self._judge_at = clock.monotonic() + JUDGE_EVERY_S
            self._judge_all()
        self._out.relay(TICK_S)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stop()

    def _tend(self, child: Child) -> None:
        pid, status = child.pid, child.reap()
        if status is not None and not child.is_done:
            self._out.say(f"{child.spec.name} ended ({_how(status)}), process {pid}; starting it again")
        if child.is_due and self._needs_are_met(child):
            self._start(child)

    def _needs_are_met(self, child: Child) -> bool:
        return all(c.is_ready for c in self._children if c.spec.name in child.spec.needs)

    def _start(self, child: Child) -> None:
        try:
            pipe = child.start()
        except (OSError, SubprocessError, MemoryError) as error:
            self._out.say(f"{child.spec.name} cannot be started: {error}")
            # One that ran before is missing for a while; the others go on protecting what is open.
            if child.starts:
                child.not_started()
            else:
                self.stop()
            return
        self._out.follow(child.spec.name, pipe)
        self._record()
        if child.starts > 1:
            self._restarted(child, self._children)

    def _record(self) -> None:
        try:
            leftovers.record(self._var, {c.spec.name: c.pid for c in self._children if c.is_running})
        except OSError as error:
            # A full disk ends nobody; what is left behind then the kernel kills, or a person.
            self._out.say(f"{leftovers.FILE} cannot be written: {error}")

    def _note_ready(self) -> None:
        for child in self._children:
            if not child.is_ready:
                child.is_ready = child.is_done if child.spec.once else child.is_running and child.spec.is_ready()
        if not self._was_ready and all(c.is_ready for c in self._children):
            self._was_ready = True
            self._tell_ready(clock.monotonic() - self._began)

    def _judge_all(self) -> None:
        for child in self._children:
            if child.is_running and (why := self._judge(child)):
                self._out.say(f"{child.spec.name} stands still: {why}; killing it with its workers")
                child.kill_group()

    def _shut_down(self) -> None:
        self._out.say("stopping")
        for last in (False, True):
            self._stop_all([c for c in self._children if c.is_running and c.spec.leaves_last is last])
        self._out.drain()
        leftovers.forget(self._var)

    def _stop_all(self, children: list[Child]) -> None:
        asked = self._asked_to_stop
        for child in children:
            child.terminate()
        deadline = clock.monotonic() + self._grace_s
        while any(c.reap() is None and c.is_running for c in children):
            if clock.monotonic() >= deadline or self._asked_to_stop > asked:
                break
            self._out.relay(TICK_S)
        for child in children:
            if child.is_running:
                self._out.say(f"{child.spec.name} did not stop; killed")
                child.kill_group()
                assert child.process is not None
                child.process.wait()
                child.reap()


def _how(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
