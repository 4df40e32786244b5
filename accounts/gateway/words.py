"""The broker's status words, normalised. Only a word that surely is final ends an order; all others leave it working."""

from __future__ import annotations

import re

from accounts.gateway.reports import Word

_DONE = frozenset({"complete", "completed", "traded", "filled", "executed"})
_NOT_YET = re.compile(r"req\b|reques|pend|partial|part |reject|\bnot\b|\bun")


def word_of(raw: object) -> Word:
    """`raw` is what the book shows; a cancel or modify that failed is not the order's own end."""
    text = " ".join(re.sub(r"[_\-]+", " ", str(raw or "").lower()).split())[:120]
    if "reject" in text:
        return Word.WORKING if re.search(r"cancel|modif|replace|\bnot\b", text) else Word.REJECTED
    if "cancel" in text:
        return Word.WORKING if _NOT_YET.search(text) else Word.CANCELLED
    if _DONE & set(text.split()) and not _NOT_YET.search(text):
        return Word.COMPLETE
    if "trigger" in text and "triggered" not in text:
        return Word.TRIGGER_PENDING
    return Word.CANCELLED if text == "expired" else Word.WORKING
