"""Rules that every rendered page keeps, whatever it shows."""

from __future__ import annotations

import re

from django.apps import apps
from django.db.models import Max
from django.http import HttpResponse

INLINE = re.compile(r"\sstyle=|<style\b|<script(?![^>]*\bsrc=)|\son[a-z]+=\"|javascript:", re.IGNORECASE)
# Signing in and watching leave rows that are no trading state.
NOT_TRADING = {"sessions.Session", "marketdata.ViewingSession"}


def text_of(response: HttpResponse) -> str:
    return response.content.decode()


def inline_parts(response: HttpResponse) -> list[str]:
    """Whatever the content policy would forbid."""
    return INLINE.findall(text_of(response))


def world() -> dict[str, tuple[int, int | None, tuple[tuple[object, ...], ...]]]:
    """Every row of every table of ours, so that a reading can be shown to change none."""
    return {
        model._meta.label: (
            model._default_manager.count(),
            model._default_manager.aggregate(top=Max("pk"))["top"],
            tuple(model._default_manager.order_by("pk").values_list()),
        )
        for model in apps.get_models()
        if model._meta.label not in NOT_TRADING and not model._meta.label.startswith(("django_q.", "contenttypes.", "auth."))
    }
