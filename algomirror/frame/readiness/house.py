"""Checks of the whole product: calendar, contracts, feed, processes, disk."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Max

from algomirror.frame.readiness.found import AMBER, GREEN, RED, Found, ago
from algomirror.kernel import clock
from algomirror.ops import backup, health
from algomirror.ops.alerts import deliver
from algomirror.ops.alerts.models import AlertChannel
from marketdata import calendar, terms
from marketdata.models import Instrument, Underlying
from marketdata.status import feed_status

COVERED_DAYS = 30
DISK_RED_BYTES, DISK_AMBER_BYTES = 1_000_000_000, 5_000_000_000
# A copy is taken every hour; losing more than that is what RPO forbids.
BACKUP_OLD, BACKUP_DEAD = timedelta(minutes=75), timedelta(hours=4)
_REMEDIES = {
    "database": "Is the database running, and is its disk full?",
    "redis": "Start Redis.",
    "metronome": "Start run_metronome.",
    "feed": "Start run_feed.",
}


def findings(now: datetime, *, has_accounts: bool) -> list[Found]:
    found = [_calendar(), *_contracts(now), _terms(), *_parts(), _disk(), _backups(now), _channels()]
    return [*found, *_feed(now)] if has_accounts else found


def _calendar() -> Found:
    ends = [calendar.coverage_end(exchange, days=COVERED_DAYS) for exchange in calendar.EXCHANGES]
    known = [end for end in ends if end is not None]
    remedy = "Load the holidays of the coming months: manage.py load_reference."
    if len(known) < len(ends):
        return Found("calendar", RED, "today is not covered on every exchange: entries are denied", remedy)
    last = min(known)
    state = GREEN if (last - clock.today()).days >= COVERED_DAYS else AMBER
    return Found("calendar", state, f"covered to {last:%d %b %Y}", "" if state == GREEN else remedy)


def _contracts(now: datetime) -> list[Found]:
    """The list of each exchange we trade derivatives on; on a trading day only today's counts."""
    exchanges = sorted(set(Underlying.objects.filter(enabled=True).values_list("derivative_exchange", flat=True)))
    derivatives = Instrument.objects.filter(exchange__in=exchanges).values_list("exchange")
    listed = dict(derivatives.annotate(on=Max("listed_on")).order_by())
    return [_contract_list(exchange, listed.get(exchange), now) for exchange in exchanges]


def _contract_list(exchange: str, on: object, now: datetime) -> Found:
    name = f"contracts {exchange}"
    remedy = "Press Import on the option chain, or run manage.py import_instruments."
    if on is None:
        return Found(name, RED, "none imported", remedy)
    if on == clock.today():
        return Found(name, GREEN, "of today")
    has_session = calendar.session_close(exchange, clock.today()) is not None
    return Found(name, RED if has_session else AMBER, f"of {on:%d %b %Y}", remedy)


def _terms() -> Found:
    disputed = [text for texts in terms.disputed().values() for text in texts]
    if not disputed:
        return Found("contract terms", GREEN, "ours and the broker's list agree")
    more = f" and {len(disputed) - 1} more" if len(disputed) > 1 else ""
    remedy = "Accept or override it under Settings, Instruments."
    return Found("contract terms", RED, f"{disputed[0]}{more}: entries wait", remedy)


def _parts() -> list[Found]:
    found = []
    for part in health.parts():
        age = "" if part.age_s is None else f", {part.age_s:.0f} s ago"
        remedy = _REMEDIES.get(part.name, "Start run_cluster for this queue.")
        found.append(Found(part.name, GREEN if part.is_ok else RED, f"{part.state}{age}", "" if part.is_ok else remedy))
    return found


def _feed(now: datetime) -> list[Found]:
    """With every market closed nothing ticks, and only the connection is judged."""
    status = feed_status(now)
    is_open = any(calendar.is_open(exchange, now) for exchange in calendar.EXCHANGES)
    is_good = status.state == "live" or (status.state == "stale" and not is_open)
    prices = Found(
        "prices",
        GREEN if is_good else RED if is_open else AMBER,
        status.state if is_open else f"{status.state}, markets closed",
        "" if is_good else "Look at Settings, Feeds: is the primary account logged in?",
    )
    return [prices, _order_streams(str(status.detail.get("order_streams", "")))]


def _order_streams(told: str) -> Found:
    live, _, wanted = told.partition("/")
    if not (live.isdecimal() and wanted.isdecimal()):
        return Found("order streams", AMBER, "not reported", "Orders are polled meanwhile. Start run_feed.")
    is_whole = live == wanted
    remedy = "" if is_whole else "Orders are polled meanwhile; some brokers push no order updates."
    return Found("order streams", GREEN if is_whole else AMBER, f"{live} of {wanted} live", remedy)


def _backups(now: datetime) -> Found:
    if not settings.BACKUP_DIR:
        remedy = "Name a folder in BACKUP_DIR; a copy is taken there every hour."
        return Found("backups", GREEN if settings.DEMO else AMBER, "none are taken", "" if settings.DEMO else remedy)
    at = backup.newest(Path(settings.BACKUP_DIR))
    remedy = "Is the signals cluster running, and can it write to BACKUP_DIR? Its log says why a copy failed."
    if at is None:
        return Found("backups", RED, "no copy there", remedy)
    state = GREEN if now - at <= BACKUP_OLD else AMBER if now - at <= BACKUP_DEAD else RED
    return Found("backups", state, f"last copy {ago(at, now)}", "" if state == GREEN else remedy)


def _channels() -> Found:
    """Who hears an alarm. Red when nobody would: every channel fails."""
    channels = list(AlertChannel.objects.filter(enabled=True))
    failing = deliver.failing()
    if not channels:
        remedy = "Alarms are heard on open pages only: add a channel under Alerts, Settings."
        return Found("alert channels", GREEN if settings.DEMO else AMBER, "none", "" if settings.DEMO else remedy)
    if failing:
        said = ", ".join(f"{one.name} ({one.last_error or 'no answer'})" for one in failing[:3])
        state = RED if len(failing) == len(channels) else AMBER
        return Found(
            "alert channels", state, f"{len(failing)} of {len(channels)} fail: {said}", "Test it under Alerts, Settings."
        )
    untried = [one.name for one in channels if one.last_sent_at is None]
    if untried:
        return Found("alert channels", AMBER, f"never used: {', '.join(untried[:3])}", "Press Test under Alerts, Settings.")
    return Found("alert channels", GREEN, f"{len(channels)} heard")


def _disk() -> Found:
    free = shutil.disk_usage(settings.VAR_DIR).free
    state = RED if free < DISK_RED_BYTES else AMBER if free < DISK_AMBER_BYTES else GREEN
    return Found("disk", state, f"{free / 1e9:.1f} GB free", "" if state == GREEN else f"Make room under {settings.VAR_DIR}.")
