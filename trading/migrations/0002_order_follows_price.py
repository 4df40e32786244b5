"""Tell a re-peg's cancel from everyone else's: only the first may be answered with a new order."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="follows_price",
            field=models.BooleanField(default=False),
        ),
    ]
