"""Margin figures, grades, charge rates, and margin held by runs in flight."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

KINDS = [
    ("SHORT_SINGLE", "one short call or put"),
    ("SHORT_PAIR", "short call and put together"),
    ("FUTURE", "future"),
    ("OPTION_BUY", "bought option"),
]
ITEMS = [
    ("STT", "securities transaction tax, sell side"),
    ("EXERCISE_STT", "securities transaction tax on exercise"),
    ("TRANSACTION", "exchange transaction"),
    ("SEBI", "SEBI fee"),
    ("STAMP", "stamp duty, buy side"),
    ("GST", "GST on brokerage, transaction and SEBI fee"),
]


def _id():
    return ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("trading", "0001_initial"), ("risk", "0002_initial")]

    operations = [
        migrations.CreateModel(
            name="MarginRequirement",
            fields=[
                _id(),
                ("underlying", models.CharField(max_length=20)),
                ("kind", models.CharField(choices=KINDS, max_length=12)),
                ("is_expiry", models.BooleanField()),
                (
                    "rupees",
                    models.DecimalField(
                        decimal_places=2, max_digits=12, validators=[django.core.validators.MinValueValidator(Decimal("1"))]
                    ),
                ),
            ],
            options={"ordering": ["underlying", "kind", "is_expiry"]},
        ),
        migrations.CreateModel(
            name="TradeGrade",
            fields=[
                _id(),
                ("name", models.CharField(max_length=10, unique=True)),
                (
                    "share",
                    models.DecimalField(
                        decimal_places=2,
                        help_text="percent of the basis",
                        max_digits=5,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.01")),
                            django.core.validators.MaxValueValidator(Decimal("100")),
                        ],
                    ),
                ),
                (
                    "basis",
                    models.CharField(choices=[("USABLE", "usable margin"), ("CASH", "cash")], default="USABLE", max_length=6),
                ),
                ("description", models.CharField(blank=True, max_length=120)),
                ("is_standard", models.BooleanField(default=False, editable=False)),
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={"ordering": ["-share", "name"]},
        ),
        migrations.CreateModel(
            name="ChargeRate",
            fields=[
                _id(),
                ("item", models.CharField(choices=ITEMS, max_length=12)),
                ("exchange", models.CharField(max_length=12)),
                ("is_future", models.BooleanField(default=False)),
                ("share", models.DecimalField(decimal_places=9, help_text="of the value; 0.0015 is 0.15 %", max_digits=12)),
                ("effective_from", models.DateField()),
            ],
            options={"ordering": ["exchange", "is_future", "item", "-effective_from"]},
        ),
        migrations.CreateModel(
            name="MarginClaim",
            fields=[
                _id(),
                ("claims", models.BigIntegerField(default=0)),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="margin_claim", to="accounts.account"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MarginReservation",
            fields=[
                _id(),
                ("rupees", models.DecimalField(decimal_places=2, max_digits=14)),
                ("created_at", models.DateTimeField()),
                (
                    "entered_at",
                    models.DateTimeField(help_text="when the run was first seen to have ended its entry", null=True),
                ),
                ("released_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reservations", to="accounts.account"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="reservations", to="trading.run"),
                ),
            ],
        ),
        migrations.AddConstraint(
            "marginrequirement",
            models.UniqueConstraint(fields=("underlying", "kind", "is_expiry"), name="one_margin_figure"),
        ),
        migrations.AddConstraint(
            "marginrequirement",
            models.CheckConstraint(condition=models.Q(("rupees__gt", 0)), name="margin_figure_positive"),
        ),
        migrations.AddConstraint(
            "tradegrade",
            models.CheckConstraint(condition=models.Q(("share__gt", 0), ("share__lte", 100)), name="grade_share_0_to_100"),
        ),
        migrations.AddConstraint(
            "chargerate",
            models.UniqueConstraint(fields=("item", "exchange", "is_future", "effective_from"), name="one_rate_per_start"),
        ),
        migrations.AddConstraint(
            "chargerate",
            models.CheckConstraint(condition=models.Q(("share__gte", 0), ("share__lt", 1)), name="rate_is_a_share"),
        ),
        migrations.AddConstraint(
            "marginreservation",
            models.UniqueConstraint(fields=("account", "run"), name="one_reservation_per_run_and_account"),
        ),
        migrations.AddConstraint(
            "marginreservation",
            models.CheckConstraint(condition=models.Q(("rupees__gte", 0)), name="reservation_not_negative"),
        ),
        migrations.AddIndex(
            "marginreservation",
            models.Index(condition=models.Q(("released_at__isnull", True)), fields=["account"], name="reservations_held"),
        ),
    ]
