"""The two steps of bringing a table by file, for any room: shown first, saved when it is still what was shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import imports
from algomirror.ops.imports import Change, Line


@dataclass(frozen=True, slots=True)
class Kind:
    """A table that may be brought. `compare` judges the lines and says what they change; `save` does it, as `by`."""

    title: str
    back: str
    approve: str
    columns: tuple[str, ...]
    compare: Callable[[Sequence[Line]], list[Change]]
    save: Callable[[Sequence[Line], str], int]


def shown(request: HttpRequest, kind: Kind) -> dict[str, Any]:
    """The page of a file that was just chosen. Refused when it cannot be read or a line is wrong."""
    file = request.FILES.get("file")
    if file is None:
        raise Refused("Choose a file.", fields={"file": "missing"})
    lines = imports.read(file.name or "", file.read(imports.MOST_BYTES + 1), kind.columns)
    changes = kind.compare(lines)
    news = [change for change in changes if change.act != "SAME"]
    return {
        "kind": kind,
        "file": file.name,
        "changes": news,
        "same": len(changes) - len(news),
        "lines": json.dumps(lines),
        "seal": imports.seal(lines, changes),
    }


def approved(request: HttpRequest, kind: Kind, *, by: str) -> int:
    """Save what was shown; how many rows changed. Conflict when our rows moved on meanwhile."""
    lines = imports.kept(request.POST.get("lines", ""), kind.columns)
    if imports.seal(lines, kind.compare(lines)) != request.POST.get("seal"):
        raise Conflict("Something was changed since this was shown. Choose the file again.")
    return kind.save(lines, by)
