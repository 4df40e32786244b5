"""What is to run: one line per process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def always() -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One process. `needs` names those that must have become ready before it is first started.

    `cluster` and `heartbeat` name the signs of life by which it is judged; `once` runs to its end and is started
    again only when that end was a failure; `leaves_last` stays while the others stop.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    is_ready: Callable[[], bool] = always
    cluster: str = ""
    heartbeat: str = ""
    once: bool = False
    leaves_last: bool = False
