"""How much of an account's margin entries may use."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("risk", "0024_run_extremes")]

    operations = [
        migrations.AddField(
            model_name="accountlimits",
            name="max_utilisation",
            field=models.PositiveSmallIntegerField(
                blank=True, help_text="percent of margin entries may use", null=True
            ),
        ),
    ]
