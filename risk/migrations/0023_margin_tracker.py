"""Margin in use over time, and the level at which it rings."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("risk", "0022_protections"),
    ]

    operations = [
        migrations.AddField(
            model_name="accountlimits",
            name="margin_alarm",
            field=models.PositiveSmallIntegerField(blank=True, help_text="percent of margin in use that rings", null=True),
        ),
        migrations.CreateModel(
            name="MarginSample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("usable", models.DecimalField(decimal_places=2, max_digits=16)),
                ("used", models.DecimalField(decimal_places=2, max_digits=16)),
                ("reserved", models.DecimalField(decimal_places=2, max_digits=16)),
                ("share", models.DecimalField(decimal_places=1, help_text="percent in use", max_digits=6)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="margin_samples", to="accounts.account"
                    ),
                ),
            ],
            options={
                "ordering": ["at"],
                "constraints": [models.UniqueConstraint(fields=("account", "at"), name="one_margin_sample_per_slot")],
            },
        ),
    ]
