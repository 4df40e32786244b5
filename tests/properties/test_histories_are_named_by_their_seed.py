from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.histories import shares
from tests.properties.independent import run_histories

drawn: list[list[int]] = []


class Numbers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []
        drawn.append(self.seen)

    @rule(n=st.integers(0, 999))
    def number(self, n: int) -> None:
        self.seen.append(n)


class NothingAbove(Numbers):
    def teardown(self) -> None:
        assert max(self.seen, default=0) < 990


def _run(machine: type[Numbers], *, seed: int, first: int, count: int) -> list[list[int]]:
    drawn.clear()
    run_histories(machine, seed=seed, first=first, count=count, steps=6)
    # Hypothesis begins with the simplest one, which belongs to no seed.
    return drawn[1:]


def test_the_same_seed_draws_the_same_histories_and_another_one_others() -> None:
    once = _run(Numbers, seed=4, first=0, count=20)
    assert len(once) == 20 and len({tuple(one) for one in once}) == 20
    assert _run(Numbers, seed=4, first=0, count=20) == once
    assert not {tuple(one) for one in _run(Numbers, seed=5, first=0, count=20)} & {tuple(one) for one in once}


def test_a_part_of_them_is_the_same_part() -> None:
    whole = _run(Numbers, seed=4, first=0, count=20)
    assert _run(Numbers, seed=4, first=13, count=4) == whole[13:17]


def test_a_violation_is_told_by_its_number_and_the_others_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [n for n, seen in enumerate(_run(Numbers, seed=4, first=0, count=60)) if max(seen) >= 990]
    assert 1 < len(wrong) < 30
    monkeypatch.setenv("AM_PROGRESS", str(tmp_path))
    with pytest.raises(ExceptionGroup) as told:
        _run(NothingAbove, seed=4, first=0, count=60)
    assert len(told.value.exceptions) == len(wrong)
    assert {file.name for file in tmp_path.glob("violation-*")} == {f"violation-4-{n}" for n in wrong}
    assert f"AM_SEED=4 AM_FIRST={wrong[0]} AM_EXAMPLES=1" in (tmp_path / f"violation-4-{wrong[0]}").read_text()
    (done,) = tmp_path.glob("done-*")
    assert [int(line) for line in done.read_text().split()] == list(range(60))


def test_shares_leave_out_none_and_repeat_none() -> None:
    parts = shares(900, 20_000, 3)
    assert [n for first, count in parts for n in range(first, first + count)] == list(range(900, 20_900))
    assert shares(0, 1, 2) == [(0, 1)]
