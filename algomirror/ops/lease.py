"""A duty held by one process at a time, kept in the database by compare-and-set."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction

from algomirror.kernel import clock
from algomirror.ops.models import Lease


def process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def has_ended(name: str) -> bool:
    """True only when that process surely ended: it ran on this host and its number is free."""
    host, _, pid = name.rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@dataclass(frozen=True)
class Held:
    """Proof of holding: the token rises with every change of holder."""

    name: str
    token: int


def acquire(name: str, *, seconds: float, holder: str | None = None) -> Held | None:
    """Take the lease if it is free or expired; None when another holds it."""
    now = clock.now()
    holder = holder or process_name()
    expires = now + timedelta(seconds=seconds)
    row = Lease.objects.filter(name=name).values("token", "expires").first()
    if row is None:
        try:
            with transaction.atomic():
                Lease.objects.create(name=name, holder=holder, token=1, expires=expires)
        except IntegrityError:
            return None
        return Held(name, 1)
    if row["expires"] > now:
        return None
    token = row["token"] + 1
    won = Lease.objects.filter(name=name, token=row["token"], expires__lte=now).update(
        holder=holder, token=token, expires=expires
    )
    return Held(name, token) if won else None


def renew(held: Held, *, seconds: float) -> bool:
    """Extend; False when the lease was lost, after which the duty must stop at once."""
    expires = clock.now() + timedelta(seconds=seconds)
    return bool(Lease.objects.filter(name=held.name, token=held.token).update(expires=expires))


def release(held: Held) -> None:
    Lease.objects.filter(name=held.name, token=held.token).update(expires=clock.now(), holder="")
