"""Words and looks of states. Accepted is never green; unknown is a state of its own."""

from __future__ import annotations

from typing import NamedTuple

from django import template

register = template.Library()


class Badge(NamedTuple):
    word: str
    look: str
    hint: str = ""


# Looks: idle (outline), moving (accent outline), warn, done (the only green), bad, doubt (dashed).
_ORDERS = {
    "INITIALIZED": Badge("requested", "idle", "written down, not sent yet"),
    "DENIED": Badge("denied", "bad", "our own gate said no; nothing was sent"),
    "SUBMITTED": Badge("sent", "moving", "left us, no answer yet"),
    "UNKNOWN": Badge("unknown, checking", "doubt", "we cannot say yet whether the broker has it"),
    "ACCEPTED": Badge("accepted", "moving", "the broker has it; nothing is filled yet"),
    "PARTIALLY_FILLED": Badge("part filled", "warn"),
    "FILLED": Badge("filled", "done"),
    "PENDING_CANCEL": Badge("cancelling", "moving", "cancel asked, not confirmed"),
    "CANCELED": Badge("cancelled", "idle"),
    "REJECTED": Badge("rejected", "bad"),
    "LAPSED": Badge("lapsed", "bad", "complete books of the broker do not show it"),
}
_RUNS = {
    "PLANNED": Badge("planned", "idle"),
    "ENTERING": Badge("entering", "moving"),
    "OPEN": Badge("open", "moving"),
    "EXITING": Badge("exiting", "warn"),
    "CLOSED": Badge("closed", "idle", "flat, confirmed by fills"),
    "STUCK": Badge("stuck", "bad", "does not move by itself; a person is needed"),
    "BLIND": Badge("blind", "doubt", "an open leg has no fresh price"),
}
_BOOKS = {
    "OPEN": Badge("open", "moving"),
    "REDUCING": Badge("reducing", "warn", "no additions"),
    "EXITING": Badge("exiting", "warn"),
    "FLAT": Badge("flat", "idle", "confirmed by fills"),
    "FROZEN": Badge("frozen", "bad", "nothing is sent until a person decides"),
}
_GOALS = {
    "REQUESTED": Badge("exit asked", "moving"),
    "WORKING": Badge("exit working", "warn"),
    "STUCK": Badge("exit stuck", "bad", "not flat in time; a person is called"),
    "DONE": Badge("flat", "done", "confirmed by fills"),
}
_GUARDS = {
    "WAITING": Badge("waiting", "idle"),
    "ARMED": Badge("armed", "moving"),
    "TRACKING": Badge("tracking", "moving"),
    "TRIPPED": Badge("tripped", "warn"),
    "PAUSED": Badge("paused", "doubt"),
}
_TRADING = {
    "ACTIVE": Badge("active", "idle"),
    "REDUCING": Badge("reducing", "warn", "only orders that shrink a position"),
    "HALTED": Badge("halted", "bad", "cancels only; nothing else is sent"),
}
_LINKS = {
    "UP": Badge("up", "idle"),
    "DEGRADED": Badge("degraded", "warn"),
    "DOWN": Badge("down", "bad"),
    "REFUSED": Badge("refused", "bad", "the server answers but does not accept the key"),
    "UNKNOWN": Badge("not checked", "doubt"),
}
_KINDS = {
    "order": _ORDERS,
    "run": _RUNS,
    "book": _BOOKS,
    "guard": _GUARDS,
    "goal": _GOALS,
    "trading": _TRADING,
    "link": _LINKS,
}


@register.simple_tag
def badge(state: str | None, kind: str = "order") -> Badge:
    """The word, look and hint for a state; one we have no word for is shown as it is, in doubt."""
    if not state:
        return Badge("unknown", "doubt")
    known = _KINDS[kind].get(str(state).upper())
    return known or Badge(str(state).lower().replace("_", " "), "doubt")
