"""Signed-in browsers: opened after both factors, seen, and ended by their user, the owner or time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, login, logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from accounts.models import LoginSession, User
from algomirror.kernel import clock
from algomirror.ops import journal

BACKEND = "django.contrib.auth.backends.ModelBackend"
IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=30)
SEEN_EVERY = timedelta(minutes=5)
_MARK = "am_session"


def open_session(request: HttpRequest, user: User, *, is_remembered: bool = False) -> None:
    """Sign this browser in. The row lets its user see and end it from elsewhere."""
    _note_end(request, by=f"user:{user.username}")  # of whoever was signed in on it
    login(request, user, backend=BACKEND)
    request.session.set_expiry(int(ABSOLUTE.total_seconds()) if is_remembered else 0)
    now = clock.now()
    request.session[_MARK] = {"started": now.timestamp(), "seen": now.timestamp(), "remembered": is_remembered}
    request.session.save()
    with transaction.atomic():
        LoginSession.objects.create(
            user=user,
            session_key=request.session.session_key or "",
            started_at=now,
            seen_at=now,
            address=request.META.get("REMOTE_ADDR") or None,
            agent=request.META.get("HTTP_USER_AGENT", "")[:200],
            is_remembered=is_remembered,
        )
        journal.record("user.signed_in", actor=f"user:{user.username}", subject=f"user:{user.username}")


def close_session(request: HttpRequest) -> None:
    """Sign this browser out, by its user's wish."""
    _note_end(request, by=f"user:{request.user.get_username()}")
    logout(request)


def watch(request: HttpRequest) -> None:
    """End a session that is idle or too old; otherwise note now and then that it is alive. Costs nothing in between."""
    mark: dict[str, Any] | None = request.session.get(_MARK)
    if mark is None:
        return
    now = clock.now()
    if _is_over(mark, now):
        _note_end(request, by="schedule")
        logout(request)
    elif now - _at(mark["seen"]) > SEEN_EVERY:
        request.session[_MARK] = {**mark, "seen": now.timestamp()}
        LoginSession.objects.filter(session_key=request.session.session_key).update(seen_at=now)


def is_open(session_key: str, user_id: int) -> bool:
    """For what outlives a request: False once it was ended, ran out, or its user was switched off or has a new password."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    held = _store(session_key).load() if user is not None and session_key else {}
    if user is None or held.get(SESSION_KEY) != str(user_id):
        return False
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    if not any(constant_time_compare(held.get(HASH_SESSION_KEY, ""), known) for known in hashes):
        return False
    return _MARK not in held or not _is_over(held[_MARK], clock.now())


def _is_over(mark: dict[str, Any], now: datetime) -> bool:
    return now - _at(mark["started"]) > ABSOLUTE or (now - _at(mark["seen"]) > IDLE and not mark["remembered"])


def open_sessions(user: User) -> list[LoginSession]:
    """The newest first; those whose browser session has run out are left out."""
    since = clock.now() - ABSOLUTE
    rows = LoginSession.objects.filter(user=user, ended_at=None, started_at__gt=since)
    return [row for row in rows if row.is_remembered or clock.now() - row.seen_at <= IDLE + SEEN_EVERY]


def keep_only_this(request: HttpRequest, user: User) -> None:
    """After a change of password: this browser goes on under a new key, all others are out."""
    before = request.session.session_key
    update_session_auth_hash(request, user)
    request.session.save()
    LoginSession.objects.filter(session_key=before or "-").update(session_key=request.session.session_key)
    end_all(user, by=user, except_key=request.session.session_key)


def end_one(user: User, session_id: int) -> bool:
    """True when this ended one of the user's own sessions."""
    return bool(_end(LoginSession.objects.filter(pk=session_id, user=user, ended_at=None), by=user))


def end_all(user: User, *, by: User, except_key: str | None = None) -> int:
    return _end(LoginSession.objects.filter(user=user, ended_at=None).exclude(session_key=except_key or ""), by=by)


def _end(rows: Iterable[LoginSession], *, by: User) -> int:
    ended = 0
    for row in rows:
        with transaction.atomic():
            claimed = LoginSession.objects.filter(pk=row.pk, ended_at=None).update(
                ended_at=clock.now(), ended_by=f"user:{by.username}"
            )
            if not claimed:
                continue
            _store(row.session_key).delete()
            journal.record("user.session_ended", actor=f"user:{by.username}", subject=f"user:{row.user.username}", session=row.pk)
        ended += 1
    return ended


def _note_end(request: HttpRequest, *, by: str) -> None:
    LoginSession.objects.filter(session_key=request.session.session_key or "-", ended_at=None).update(
        ended_at=clock.now(), ended_by=by
    )


def _store(key: str) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def _at(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
