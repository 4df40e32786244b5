"""The first margin figures, grades and charge rates. Rows that exist are left as people made them."""

from datetime import date
from decimal import Decimal

from django.db import migrations

# Rupees per lot: (expiry day, other days).
FIGURES = {
    "SHORT_SINGLE": {"NFO": (205000, 250000), "BFO": (180000, 220000)},
    "SHORT_PAIR": {"NFO": (250000, 320000), "BFO": (225000, 290000)},
    "FUTURE": {"NFO": (215000, 215000), "BFO": (185000, 185000)},
    "OPTION_BUY": {"NFO": (20000, 20000), "BFO": (20000, 20000)},
}
UNDERLYINGS = {"NIFTY": "NFO", "BANKNIFTY": "NFO", "SENSEX": "BFO"}
GRADES = [
    ("A", 95, "Nearly all of the usable margin"),
    ("B", 65, "About two thirds of the usable margin"),
    ("C", 36, "About a third of the usable margin"),
]
# Item, exchange, is future, share of value, from.
OLD, MARCH, APRIL = date(2024, 10, 1), date(2026, 3, 1), date(2026, 4, 1)
RATES = [
    *(("STT", exchange, False, "0.0010", OLD) for exchange in ("NFO", "BFO")),
    *(("STT", exchange, False, "0.0015", APRIL) for exchange in ("NFO", "BFO")),
    *(("STT", exchange, True, "0.0002", OLD) for exchange in ("NFO", "BFO")),
    *(("STT", exchange, True, "0.0005", APRIL) for exchange in ("NFO", "BFO")),
    *(("EXERCISE_STT", exchange, False, "0.00125", OLD) for exchange in ("NFO", "BFO")),
    *(("EXERCISE_STT", exchange, False, "0.0015", APRIL) for exchange in ("NFO", "BFO")),
    ("TRANSACTION", "NFO", False, "0.0003553", MARCH),
    ("TRANSACTION", "NFO", True, "0.0000183", MARCH),
    ("TRANSACTION", "BFO", False, "0.000325", MARCH),
    ("TRANSACTION", "BFO", True, "0", MARCH),
    *(("SEBI", exchange, future, "0.000001", OLD) for exchange in ("NFO", "BFO") for future in (False, True)),
    *(("STAMP", exchange, False, "0.00003", OLD) for exchange in ("NFO", "BFO")),
    *(("STAMP", exchange, True, "0.00002", OLD) for exchange in ("NFO", "BFO")),
    *(("GST", exchange, future, "0.18", OLD) for exchange in ("NFO", "BFO") for future in (False, True)),
]


def load(apps, schema_editor):
    requirement = apps.get_model("risk", "MarginRequirement")
    for kind, by_exchange in FIGURES.items():
        for underlying, exchange in UNDERLYINGS.items():
            for is_expiry, rupees in zip((True, False), by_exchange[exchange], strict=True):
                requirement.objects.get_or_create(
                    underlying=underlying, kind=kind, is_expiry=is_expiry, defaults={"rupees": Decimal(rupees)}
                )
    grade = apps.get_model("risk", "TradeGrade")
    for name, share, description in GRADES:
        grade.objects.get_or_create(
            name=name, defaults={"share": Decimal(share), "description": description, "is_standard": True}
        )
    rate = apps.get_model("risk", "ChargeRate")
    for item, exchange, is_future, share, start in RATES:
        rate.objects.get_or_create(
            item=item, exchange=exchange, is_future=is_future, effective_from=start, defaults={"share": Decimal(share)}
        )


class Migration(migrations.Migration):
    dependencies = [("risk", "0020_margin")]

    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
