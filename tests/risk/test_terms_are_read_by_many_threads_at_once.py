"""The first use of the classes by several threads at once killed the whole process."""

from __future__ import annotations

import subprocess
import sys

import pytest

TERMS = """
import sys, threading
from risk.domain.terms import structure_of, terms_of
row = {"trail": {"kind": "AMOUNT", "value": "1000"}, "legs": {"1": {"stop": {"kind": "PERCENT", "value": "30"}}}}
def act():
    terms_of(row), structure_of({"legs": [], "underlying": "NIFTY"})
"""
FILES = """
import sys, threading
from strategies.domain.portable import from_text
def act():
    try:
        from_text('{"format": "algomirror-strategy", "version": 1, "strategy": {}}')
    except Exception:
        pass
"""
RACE = """
sys.setswitchinterval(1e-6)
barrier = threading.Barrier(16)
def go():
    barrier.wait()
    act()
threads = [threading.Thread(target=go) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.parametrize("first_use", [TERMS, FILES])
def test_the_process_survives(first_use: str) -> None:
    for _ in range(4):
        done = subprocess.run([sys.executable, "-c", first_use + RACE], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
