"""What a modify asked for and what became of it; an order on its way to the market."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_order_follows_price")]

    operations = [
        migrations.AddField("order", "to_market", models.BooleanField(default=False)),
        migrations.AddField(
            "order",
            "change_state",
            models.CharField(
                blank=True,
                choices=[("ASKED", "ASKED"), ("DONE", "DONE"), ("REFUSED", "REFUSED"), ("UNSURE", "UNSURE")],
                default="",
                max_length=7,
            ),
        ),
        migrations.AddField("order", "asked_units", models.PositiveIntegerField(null=True)),
        migrations.AddField("order", "asked_price", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
        migrations.AddField("order", "asked_trigger", models.DecimalField(decimal_places=2, max_digits=12, null=True)),
        migrations.AddField("order", "change_asked_at", models.DateTimeField(null=True)),
        migrations.AddField("order", "change_answered_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "order",
            "change_text",
            models.CharField(blank=True, default="", help_text="what became of the change, in words", max_length=300),
        ),
    ]
