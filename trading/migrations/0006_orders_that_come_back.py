"""Orders that were held for ended and work: since when, how often a cancel was asked, and words that nobody knows."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models


def mark_those_that_came_back(apps: Any, schema_editor: Any) -> None:
    """Until now a working order that had an end was one that came back."""
    working = apps.get_model("trading", "Order").objects.filter(state__in=["ACCEPTED", "PARTIALLY_FILLED", "PENDING_CANCEL"])
    working.filter(finished_at__isnull=False).update(revived_at=models.F("finished_at"), finished_at=None)


class Migration(migrations.Migration):
    dependencies = [("trading", "0005_what_the_engine_asks_for")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="revived_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="cancels",
            field=models.PositiveSmallIntegerField(default=0, help_text="how often its cancel was asked"),
        ),
        migrations.AddField(
            model_name="order",
            name="strange_word",
            field=models.CharField(blank=True, default="", help_text="the book's last word that we do not know", max_length=60),
        ),
        migrations.RunPython(mark_those_that_came_back, migrations.RunPython.noop),
    ]
