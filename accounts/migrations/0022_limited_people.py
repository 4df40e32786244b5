from django.db import migrations, models


class Migration(migrations.Migration):
    """Accounts that an invited person is limited to."""

    dependencies = [("accounts", "0021_api_tokens")]

    operations = [
        migrations.AddField("user", "is_limited", models.BooleanField(default=False)),
        migrations.AddField(
            "user",
            "assigned",
            models.ManyToManyField(
                blank=True, help_text="of a limited person: all they see", related_name="+", to="accounts.account"
            ),
        ),
        migrations.AddConstraint(
            "user",
            models.CheckConstraint(
                condition=models.Q(("is_limited", True), ("role", "OWNER"), _negated=True), name="owner_sees_everything"
            ),
        ),
    ]
