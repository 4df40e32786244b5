"""The best and the worst a run was seen at."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("risk", "0023_margin_tracker"),
        ("trading", "0002_order_follows_price"),
    ]

    operations = [
        migrations.CreateModel(
            name="RunExtremes",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("highest", models.DecimalField(decimal_places=2, default=0, max_digits=14)),
                ("lowest", models.DecimalField(decimal_places=2, default=0, max_digits=14)),
                ("drawdown", models.DecimalField(decimal_places=2, default=0, max_digits=14)),
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="extremes", to="trading.run"
                    ),
                ),
            ],
            options={"verbose_name_plural": "run extremes"},
        ),
    ]
