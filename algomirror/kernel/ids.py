"""Identifiers that people read and databases keep unique."""

from __future__ import annotations

import hashlib
import uuid


def new_key() -> str:
    """A random, URL-safe public identifier of 32 hex letters."""
    return uuid.uuid4().hex


def client_order_id(scope: str, account_id: int, leg: int, slice_no: int, attempt: int) -> str:
    """Our own name for one intention to trade, unique before anything is sent.

    `scope` names what wants the order: "r<run>" for an entry, "g<goal>" for an exit, "t<plan>" for a ticket.
    """
    return f"{scope}-a{account_id}-l{leg}-s{slice_no}-n{attempt}"


def digest(*parts: str) -> str:
    """A stable hash of text parts; the parts' borders count."""
    h = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        h.update(len(raw).to_bytes(8, "big"))
        h.update(raw)
    return h.hexdigest()
