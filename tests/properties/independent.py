"""Histories that have nothing to do with each other: each is drawn from a seed of its own, which names it.

Hypothesis' own engine spends most of a long run on variations of what it has just drawn. Here every example is new, and any
of them can be run again alone. What fails is still replayed and made smaller by Hypothesis.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import Phase, settings
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.properties.profile import examples

NAME = "independent"
# Hypothesis remembers what it ran until it is through.
AT_ONCE = 250
# What went wrong is made smaller, which takes minutes; AM_SHRINK=0 finds more of it in the same time.
PHASES = (Phase.generate,) if os.environ.get("AM_SHRINK") == "0" else (Phase.generate, Phase.shrink)


class Progress:
    """What a run of long histories has done so far, for whoever waits for it (tests/histories.py)."""

    def __init__(self, place: str) -> None:
        self._place = Path(place) if place else None

    def done(self, number: int) -> None:
        if self._place is not None:
            with (self._place / f"done-{os.getpid()}").open("a") as file:
                file.write(f"{number}\n")

    def violated(self, name: str, words: str) -> None:
        if self._place is not None:
            (self._place / f"violation-{name.replace('/', '-')}").write_text(words)


class _Draws:
    seed: int = 0
    number: int = 0
    progress = Progress("")


class IndependentProvider(HypothesisProvider):
    def __init__(self, conjecturedata: ConjectureData | None, /) -> None:
        super().__init__(conjecturedata)
        self._random = Random(f"{_Draws.seed}/{_Draws.number}")
        _Draws.progress.done(_Draws.number)
        _Draws.number += 1

    def _maybe_draw_constant(self, *args: Any, **options: Any) -> None:
        """Constants are taken from whatever modules are loaded: the same seed would not be the same history elsewhere."""


AVAILABLE_PROVIDERS[NAME] = f"{__name__}.IndependentProvider"


def run_histories(machine: type[RuleBasedStateMachine], *, seed: int, first: int, count: int, steps: int) -> None:
    """The histories `first` … `first + count - 1` of `seed`. A violation ends its own history only; all are told at the end."""
    _begin(seed, first, Progress(os.environ.get("AM_PROGRESS", "")))
    found: list[Exception] = []
    while (left := min(first + count - _Draws.number, AT_ONCE)) > 0:
        try:
            run_state_machine_as_test(machine, settings=_how(left, steps, *PHASES))
        except Exception as error:
            name = f"{seed}/{_Draws.number - 1}"
            error.add_note(f"history {name}: AM_SEED={seed} AM_FIRST={_Draws.number - 1} AM_EXAMPLES=1")
            _Draws.progress.violated(name, "".join(traceback.format_exception(error)))
            found.append(error)
    if found:
        raise ExceptionGroup(f"{len(found)} of {count} histories of seed {seed} went wrong", found)


def is_noticed(machine: type[RuleBasedStateMachine], *, seed: int, within: int, steps: int) -> bool:
    """Whether one of so many histories goes wrong, in whatever way; none is run after it."""
    _begin(seed, 0, Progress(""))
    try:
        run_state_machine_as_test(machine, settings=_how(within, steps, Phase.generate))
    except Exception:
        return True
    return False


def _begin(seed: int, first: int, progress: Progress) -> None:
    _Draws.seed, _Draws.number, _Draws.progress = seed, first, progress


def _how(count: int, steps: int, *phases: Phase) -> settings:
    return settings(
        examples(1),
        # One more: Hypothesis begins with the simplest history there is, which is not one of ours.
        max_examples=count + 1,
        stateful_step_count=steps,
        backend=NAME,
        derandomize=False,
        report_multiple_bugs=False,
        phases=phases,
    )
