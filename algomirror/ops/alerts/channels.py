"""Making, changing, trying and removing channels, and which classes go where."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import time
from typing import Any

from django.db import IntegrityError, transaction

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import hooks, journal
from algomirror.ops.alerts import wire
from algomirror.ops.alerts.classes import NAMES
from algomirror.ops.alerts.deliver import config_of, note
from algomirror.ops.alerts.models import AlertChannel, AlertDelivery, AlertRule

WANTED: Mapping[str, tuple[str, ...]] = {
    "TELEGRAM": ("token", "chat"),
    "EMAIL": ("host", "port", "sender", "recipient"),
    "WEBHOOK": ("url",),
    "BROWSER": (),
}


def make(kind: str, name: str, config: Mapping[str, Any], *, quiet: tuple[time | None, time | None], by: str) -> AlertChannel:
    """A channel that carries every class. A webhook gets a secret of its own, readable in its config once."""
    kept = _judged(kind, name, config)
    try:
        with transaction.atomic():
            channel = AlertChannel.objects.create(
                name=name.strip(),
                kind=kind,
                sealed_config=hooks.call("seal", json.dumps(kept)),
                quiet_from=quiet[0],
                quiet_to=quiet[1],
                created_at=clock.now(),
            )
            AlertRule.objects.bulk_create(AlertRule(channel=channel, event_class=one) for one in NAMES)
            journal.record("alerts.channel", actor=by, subject=f"channel:{channel.pk}", why=f"made {kind.lower()} {name}")
    except IntegrityError:
        raise Refused("The channel was not saved.", fields={"name": "this name is taken"}) from None
    return channel


def _judged(kind: str, name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    if kind not in WANTED:
        raise Refused("The channel was not saved.", fields={"kind": "choose a kind"})
    faults = {field: "is needed" for field in WANTED[kind] if not str(config.get(field) or "").strip()}
    if not name.strip() or len(name) > 60:
        faults["name"] = "1 to 60 letters"
    url = str(config.get("url") or "")
    if kind == "WEBHOOK" and not url.startswith(("https://", "http://")):
        faults["url"] = "begins with https:// (or http:// on your own network)"
    elif kind == "WEBHOOK" and (why := hooks.call("address_trouble", url)):
        faults["url"] = why
    if faults:
        raise Refused("The channel was not saved.", fields=faults)
    kept = {field: value for field, value in config.items() if value not in (None, "")}
    if kind == "WEBHOOK":
        kept.setdefault("secret", secrets.token_urlsafe(32))
    return kept


def secret_of(channel: AlertChannel) -> str:
    return str(config_of(channel).get("secret", ""))


def set_rules(wanted: Iterable[tuple[int, str]], *, by: str) -> None:
    """Exactly these (channel, class) pairs from now on."""
    pairs = {(pk, one) for pk, one in wanted if one in NAMES}
    with transaction.atomic():
        known = set(AlertChannel.objects.values_list("pk", flat=True))
        AlertRule.objects.all().delete()
        AlertRule.objects.bulk_create(AlertRule(channel_id=pk, event_class=one) for pk, one in sorted(pairs) if pk in known)
        journal.record("alerts.rules", actor=by, why="which alarms go where", rules=len(pairs))


def set_enabled(channel_id: int, *, enabled: bool, by: str) -> bool:
    with transaction.atomic():
        done = AlertChannel.objects.filter(pk=channel_id, enabled=not enabled).update(enabled=enabled)
        if done:
            moved = ("off", "on") if enabled else ("on", "off")
            journal.record("alerts.channel", actor=by, subject=f"channel:{channel_id}", moved=moved)
    return bool(done)


def remove(channel_id: int, *, by: str) -> bool:
    with transaction.atomic():
        AlertDelivery.objects.filter(channel=channel_id).delete()
        done, _ = AlertChannel.objects.filter(pk=channel_id).delete()
        if done:
            journal.record("alerts.channel", actor=by, subject=f"channel:{channel_id}", why="removed")
    return bool(done)


def try_now(channel: AlertChannel) -> str:
    """Send a harmless message now; what went wrong, or "". Outside any transaction."""
    message = {
        "subject": "AlgoMirror: test",
        "text": "This channel works. Nothing is wrong.",
        "url": "/alerts/settings",
        "kind": "TEST",
        "at": clock.now().isoformat(),
    }
    try:
        wire.send(channel.kind, config_of(channel), message)
    except wire.NotSent as trouble:
        note(channel, error=str(trouble))
        return str(trouble)
    note(channel)
    return ""
