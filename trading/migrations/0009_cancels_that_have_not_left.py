"""Cancels that somebody asked for and that have not left yet."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0008_ticket_books_by_mode")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="cancel_wanted",
            field=models.BooleanField(
                default=False, help_text="its cancel was asked before the broker had named it, or did not leave"
            ),
        ),
    ]
