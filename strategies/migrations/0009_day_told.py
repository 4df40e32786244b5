import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Which end-of-day reports were told to people: the claim of whoever tells one."""

    dependencies = [("accounts", "0023_registered_address"), ("strategies", "0008_basket_figures")]

    operations = [
        migrations.CreateModel(
            name="DayTold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("trading_day", models.DateField()),
                ("at", models.DateTimeField()),
                ("was_told", models.BooleanField(help_text="no: nothing happened that day")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="days_told", to="accounts.account"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "days told",
                "ordering": ["-trading_day", "account"],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "trading_day"), name="one_report_per_account_and_day")
                ],
            },
        ),
    ]
