"""What an inbound signal says, whether it is who it claims, and whether it is young enough. No Django, no clock."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from enum import StrEnum
from typing import Any, Final

MOST_BYTES: Final = 16 * 1024
OLDEST_S: Final = 60.0


class Act(StrEnum):
    """START a run; EXIT the open one, one leg of it, or REDUCE a leg; STOP entries; KILL: stop, cancel and flatten."""

    START = "START"
    EXIT = "EXIT"
    EXIT_LEG = "EXIT_LEG"
    REDUCE = "REDUCE"
    STOP = "STOP"
    KILL = "KILL"


LEAVING: Final = frozenset(Act) - {Act.START}
OF_A_LEG: Final = frozenset({Act.EXIT_LEG, Act.REDUCE})
MOST_LEGS: Final = 12
MOST_LOTS: Final = 10_000


class Verdict(StrEnum):
    ACCEPTED = "ACCEPTED"
    QUEUED = "QUEUED"
    DUPLICATE = "DUPLICATE"
    STALE = "STALE"
    UNREADABLE = "UNREADABLE"
    NOT_ALLOWED = "NOT_ALLOWED"
    OUT_OF_HOURS = "OUT_OF_HOURS"
    OVER_CAP = "OVER_CAP"
    COOLING_OFF = "COOLING_OFF"
    DENIED = "DENIED"
    NOTHING_OPEN = "NOTHING_OPEN"
    FAILED = "FAILED"
    REFUSED = "REFUSED"  # disabled, wrong source or wrong secret: the sender is not told which


@dataclass(frozen=True, slots=True)
class Message:
    """`account` narrows an exit to one account; `leg` and `lots` say what EXIT_LEG and REDUCE are about.

    `key` is the sender's own name for the signal, "" when it gave none.
    """

    act: Act
    sent_at: datetime | None
    key: str = ""
    secret: str = ""
    account: int | None = None
    why: str = ""
    leg: int | None = None
    lots: int | None = None


def read(raw: bytes) -> Message | str:
    """The message, or why it cannot be read."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return "The body is not JSON."
    if not isinstance(body, dict):
        return "The body is not a JSON object."
    word = str(body.get("action", "")).strip().upper()
    if word not in Act.__members__:
        return f"action is one of {', '.join(act.value.lower() for act in Act)}."
    account = body.get("account")
    if account is not None and (isinstance(account, bool) or not isinstance(account, int) or not 0 < account < 2**63):
        return "account is the number of an account."
    if wrong := _part_fault(Act(word), body):
        return wrong
    key = str(body.get("id", "") or "")
    if len(key) > 64 or "\x00" in key or not key.isprintable():
        return "id is at most 64 printable letters."
    return Message(
        act=Act(word),
        sent_at=moment(body.get("timestamp")),
        key=key,
        secret=str(body.get("secret", "") or ""),
        account=account,
        why=printable(str(body.get("reason", "") or ""))[:200],
        leg=body["leg"] if Act(word) in OF_A_LEG else None,
        lots=body["lots"] if Act(word) is Act.REDUCE else None,
    )


def _part_fault(act: Act, body: Mapping[str, Any]) -> str:
    """What is wrong with the part of a run that the message speaks of; "" when nothing is."""
    if act in OF_A_LEG and not _is_number(body.get("leg"), MOST_LEGS):
        return f"leg is the number of a leg, 1 to {MOST_LEGS}."
    if act is Act.REDUCE and not _is_number(body.get("lots"), MOST_LOTS):
        return f"lots is how many lots are closed in each account, 1 to {MOST_LOTS}."
    return ""


def _is_number(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def moment(value: Any) -> datetime | None:
    """Seconds or milliseconds since 1970, or ISO with a zone; None when it is neither."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value.strip()) <= 16:
        value = int(value.strip())
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 10**11 else value, UTC)
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
            return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
    return None


def is_young(sent_at: datetime | None, now: datetime) -> bool:
    """Within a minute of now, on either side: clocks differ."""
    return sent_at is not None and abs((now - sent_at).total_seconds()) <= OLDEST_S


def signature(secret: str, raw: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def is_authentic(secrets: Sequence[str], raw: bytes, *, signed: str, shown: str) -> bool:
    """By HMAC of the body when a signature is given, else by the secret itself; in constant time for each known secret."""
    given = signed.strip() or shown.strip()
    if not given:
        return False
    matches = [
        hmac.compare_digest((signature(secret, raw) if signed.strip() else secret).encode(), given.encode()) for secret in secrets
    ]
    return any(matches)


def from_allowed(address: str, allowed: Sequence[str]) -> bool:
    """Every source when none is named."""
    if not allowed:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network, strict=False) for network in allowed)


def networks(text: str) -> list[str]:
    """Addresses and networks as typed, one on each line or separated by commas. Raises ValueError naming the wrong one."""
    found = []
    for word in text.replace(",", " ").split():
        try:
            found.append(str(ipaddress.ip_network(word, strict=False)))
        except ValueError:
            raise ValueError(f"{word[:45]} is no address or network") from None
    return found


def in_window(local: datetime, *, weekdays: Sequence[int], opens: time | None, closes: time | None) -> bool:
    """`local` is India's time. Empty weekdays are all; an open end does not bound."""
    if weekdays and local.weekday() not in weekdays:
        return False
    at = local.time()
    return not ((opens is not None and at < opens) or (closes is not None and at >= closes))


def fallback_key(raw: bytes, now: datetime) -> str:
    """A sender without ids is recognised by the same body within the same minute."""
    return "b:" + hashlib.sha256(raw + now.strftime("%Y%m%d%H%M").encode()).hexdigest()[:60]
