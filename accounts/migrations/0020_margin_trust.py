"""What each broker's funds mean, and whether its basket margin is believed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_identity")]

    operations = [
        migrations.AddField(
            "account",
            "collateral_included",
            models.BooleanField(default=True, help_text="available cash already holds the collateral"),
        ),
        migrations.AddField(
            "account",
            "available_is_gross",
            models.BooleanField(default=False, help_text="used margin is not yet taken off available cash"),
        ),
        migrations.AddField(
            "account",
            "margin_trusted",
            models.BooleanField(default=True, help_text="the server's basket margin is asked and believed"),
        ),
    ]
