"""Run every bench, one after the other, in a process of its own: `make bench`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The soak takes half an hour: python -m bench.soak.
NOT_BENCHES = {"__init__", "__main__", "figure", "fleet", "soak", "stand"}


def main(only: list[str]) -> int:
    names = [p.stem for p in sorted(HERE.glob("*.py")) if p.stem not in NOT_BENCHES and (not only or p.stem in only)]
    missed = [n for n in names if subprocess.run([sys.executable, "-m", f"bench.{n}"], cwd=HERE.parent, check=False).returncode]
    if missed:
        sys.stderr.write(f"missed: {', '.join(missed)}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
