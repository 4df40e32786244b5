"""Which red lines of the readiness board keep entries out, and when the board is looked at again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import redis
from django.conf import settings

from algomirror.kernel import clock
from algomirror.ops import queue
from algomirror.ops.among import Among
from algomirror.ops.models import Check

# While this key lives the checks are not due.
_RAN = "am:readiness"
EVERY_S = 60
# A board that stands still is said so beside the red line.
OLD_S = 180
_red_of = Among("account_id", lambda theirs: Check.objects.filter(theirs, state=Check.State.RED).order_by("-account_id", "pk"))


@dataclass(frozen=True, slots=True)
class Blocking:
    name: str
    sentence: str


def blocking(account_ids: Collection[int]) -> dict[int, Blocking]:
    """The first red line per account that READINESS_BLOCKS names; one of the whole product counts for each. One query."""
    found: dict[int, Blocking] = {}
    for row in _red_of([0, *account_ids]):
        if row.name not in settings.READINESS_BLOCKS:
            continue
        for account_id in [row.account_id] if row.account_id else account_ids:
            found.setdefault(account_id, Blocking(row.name, _sentence(row)))
    return found


def _sentence(row: Check) -> str:
    age_s = (clock.now() - row.checked_at).total_seconds()
    old = f" The checks last ran {age_s / 60:.0f} min ago: is the signals cluster running?" if age_s > OLD_S else ""
    remedy = f" {row.remedy}" if row.remedy else ""
    return f"readiness: {row.name} is red, {row.value}.{remedy}{old}"


def is_due() -> bool:
    """True once per interval for the one who asks first."""
    return bool(queue.client().set(_RAN, 1, nx=True, ex=EVERY_S))


def look_again() -> None:
    """Something moved: the next beat runs the checks. Without Redis they run when it is back."""
    try:
        queue.client().delete(_RAN)
    except (redis.RedisError, OSError):
        return
