from django.db import migrations, models


class Migration(migrations.Migration):
    """EXIT_LEG is a longer word than the others."""

    dependencies = [("strategies", "0006_webhooks")]

    operations = [migrations.AlterField("signal", "act", models.CharField(blank=True, max_length=8))]
