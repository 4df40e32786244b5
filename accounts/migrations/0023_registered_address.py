from django.db import migrations, models


class Migration(migrations.Migration):
    """The address a broker knows an account's orders by, and whose account it is."""

    dependencies = [("accounts", "0022_limited_people")]

    operations = [
        migrations.AddField("account", "registered_address", models.GenericIPAddressField(blank=True, null=True)),
        migrations.AddField("account", "holder", models.CharField(blank=True, max_length=80)),
        migrations.AddField(
            "account",
            "relation",
            models.CharField(
                choices=[
                    ("SELF", "myself"),
                    ("SPOUSE", "my spouse"),
                    ("CHILD", "my dependent child"),
                    ("PARENT", "my dependent parent"),
                    ("OTHER", "somebody else"),
                ],
                default="SELF",
                max_length=6,
            ),
        ),
    ]
