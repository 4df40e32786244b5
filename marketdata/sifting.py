"""What of the pushes reaches a person who is limited to accounts.

Numbers are pushed once for all; which of them are whose is known to the rows only. So such a person is told that they
changed, at most every two seconds, and their page reads its own again.
"""

from __future__ import annotations

from typing import Any

from algomirror.kernel import clock

REREAD_EVERY_S = 2.0
# Prices belong to everybody, and a run's own topic is opened only to who may see the run as a whole.
_OPEN = ("chain:", "symbols:", "run:")
# Of the feed's figures, those that name or number an account.
_NAMING = ("feed:source", "feed:skew:")


class Sieve:
    """One per socket; `ids` None lets everything through."""

    def __init__(self, ids: frozenset[int] | None) -> None:
        self.ids = ids
        self._told_at: dict[str, float] = {}

    def take(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """What is sent in place of this push; None for nothing."""
        kind, topic = body["kind"], str(body["topic"])
        if self.ids is None or topic.startswith(_OPEN):
            return body
        if kind == "shout":
            return body if self._is_theirs(body) else None
        if kind != "values":
            return body
        if topic == "market":
            return {**body, "v": {key: value for key, value in body["v"].items() if not key.startswith(_NAMING)}}
        return self._changed(topic, body)

    def _is_theirs(self, body: dict[str, Any]) -> bool:
        account, run = body.get("account"), body.get("run")
        return account in (self.ids or ()) or (account is None and run is None)

    def _changed(self, topic: str, body: dict[str, Any]) -> dict[str, Any] | None:
        now = clock.monotonic()
        if now - self._told_at.get(topic, -REREAD_EVERY_S) < REREAD_EVERY_S:
            return None
        self._told_at[topic] = now
        return {"topic": topic, "at": body["at"], "kind": "changed"}
