import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """What a broker last said that one lot blocks, beside our own margin table."""

    dependencies = [("accounts", "0023_registered_address"), ("strategies", "0007_signals_of_a_leg")]

    operations = [
        migrations.CreateModel(
            name="BasketFigure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("underlying", models.CharField(max_length=20)),
                (
                    "kind",
                    models.CharField(
                        max_length=12,
                        choices=[
                            ("SHORT_SINGLE", "one short call or put"),
                            ("SHORT_PAIR", "short call and put together"),
                            ("FUTURE", "future"),
                            ("OPTION_BUY", "bought option"),
                        ],
                    ),
                ),
                ("is_expiry", models.BooleanField(verbose_name="on expiry day")),
                ("rupees", models.DecimalField(decimal_places=2, max_digits=14, verbose_name="₹ a lot")),
                ("symbols", models.CharField(help_text="the contracts that were asked for", max_length=120)),
                ("asked_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.account"
                    ),
                ),
            ],
            options={
                "ordering": ["underlying", "kind", "is_expiry", "-asked_at"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "underlying", "kind", "is_expiry"), name="one_last_basket_figure"
                    ),
                    models.CheckConstraint(condition=models.Q(("rupees__gt", 0)), name="basket_figure_above_zero"),
                ],
            },
        )
    ]
