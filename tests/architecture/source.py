"""The committed source, as the rules of the house see it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("algomirror", "accounts", "marketdata", "trading", "risk", "strategies", "simulator")
PRODUCT = ROOMS[:-1]


@cache
def committed() -> tuple[Path, ...]:
    """Files that are, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(p for line in listed.stdout.splitlines() if (p := ROOT / line).is_file())


def python_files(*rooms: str, migrations: bool = False) -> Iterator[Path]:
    for path in committed():
        parts = path.relative_to(ROOT).parts
        if path.suffix == ".py" and parts[0] in (rooms or ROOMS) and (migrations or "migrations" not in parts):
            yield path


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def place(path: Path, line: int | None = None) -> str:
    where = str(path.relative_to(ROOT))
    return where if line is None else f"{where}:{line}"


def dotted(node: ast.expr) -> str:
    """`a.b.c` for an attribute chain; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""
