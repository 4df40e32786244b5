"""What a person writes beside a run. Notes are added, never changed."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from accounts.models import User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import journal, push
from strategies.models import RunNote, RunTags
from trading.models import Run

MOST_TAGS = 10


def add(run: Run, text: str, *, author: User) -> RunNote:
    text = text.strip()
    if not 1 <= len(text) <= 2000:
        raise Refused("The note was not kept.", fields={"text": "1 to 2,000 letters"})
    with transaction.atomic():
        note = RunNote.objects.create(run=run, author=author, at=clock.now(), text=text)
        journal.record("run.note", actor=f"user:{author.username}", run_id=run.pk, why=text[:300])
    push.push(f"run:{run.pk}", "changed")
    return note


def tag(run: Run, words: Sequence[str], *, by: str) -> None:
    if len(words) > MOST_TAGS:
        raise Refused("The tags were not kept.", fields={"words": f"at most {MOST_TAGS}"})
    with transaction.atomic():
        RunTags.objects.update_or_create(run=run, defaults={"words": list(words)})
        journal.record("run.tags", actor=by, run_id=run.pk, why=", ".join(words)[:300])
    push.push(f"run:{run.pk}", "changed")
