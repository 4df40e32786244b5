"""The broker's status words, normalised. Only a word that surely is final ends an order; all others leave it working."""

from __future__ import annotations

import re
from functools import lru_cache

from accounts.gateway.reports import Word

_DONE = frozenset({"complete", "completed", "traded", "filled", "executed"})
_NOT_YET = re.compile(r"req\b|reques|pend|partial|part |reject|\bnot\b|\bun")
_UNDONE = _DONE | {"cancelled", "canceled", "modified", "replaced", "triggered"}
# A text made of these alone, and no end, says that an order works or is on its way.
_AT_WORK = re.compile(
    r"(?:accepted|acknowledged|active|after|amo|at|awaiting|been|broker|by|cancel|cancellation|cancelled|canceled"
    r"|complete|completed|confirmed|exchange|executed|filled|for|has|in|incomplete|is|live|market|modification"
    r"|modified|modify|new|not|on|open|order|part|partial|partially|partiallyexecuted|partiallyfilled|parttraded"
    r"|pending|pendingcancel|pendingmodify|pendingnew|pendingreplace|placed|put|queue|queued|received|reject|rejected"
    r"|replace|replaced|req|request|requested|sent|submitted|the|to|traded|transit|trigger|triggered|unconfirmed"
    r"|unexecuted|unfilled|untraded|validated|validation|waiting|working)"
)


def word_of(raw: object) -> Word:
    """`raw` is what the book shows; a cancel or modify that failed is not the order's own end."""
    return _meant(str(raw or ""))


@lru_cache(maxsize=1000)
def _meant(raw: str) -> Word:
    text = " ".join(re.sub(r"[_\-]+", " ", raw.lower()).split())[:120]
    if "reject" in text:
        return _at_work(text) if re.search(r"cancel|modif|replace|\bnot\b", text) else Word.REJECTED
    if "cancel" in text:
        return _at_work(text) if _NOT_YET.search(text) else Word.CANCELLED
    if _DONE & set(text.split()) and not _NOT_YET.search(text):
        return Word.COMPLETE
    return Word.CANCELLED if text == "expired" else _at_work(text)


def _at_work(text: str) -> Word:
    words = set(re.findall(r"[^\W\d]+", text))
    denies_work = "not" in words and not words & _UNDONE
    if denies_work or not words or not all(map(_AT_WORK.fullmatch, words)):
        return Word.UNKNOWN
    return Word.TRIGGER_PENDING if "trigger" in words else Word.WORKING
