from django.db import migrations, models


class Migration(migrations.Migration):
    """Alarms that are silent for a while, and where the journal's chain begins since older rows were let go."""

    dependencies = [("ops", "0007_alerts")]

    operations = [
        migrations.AddField("alarm", "snoozed_until", models.DateTimeField(blank=True, null=True)),
        migrations.CreateModel(
            name="JournalCheckpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("position", models.BigIntegerField(unique=True)),
                ("digest", models.CharField(max_length=64)),
                ("last_row_at", models.DateTimeField(help_text="of the newest row that was let go")),
                ("rows", models.BigIntegerField(help_text="so many were let go with it")),
            ],
            options={"ordering": ["position"]},
        ),
    ]
