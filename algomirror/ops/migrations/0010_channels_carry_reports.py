from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def carry(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    rule = apps.get_model("ops", "AlertRule")
    channels = rule.objects.filter(event_class="OTHER").values_list("channel_id", flat=True)
    rule.objects.bulk_create([rule(channel_id=pk, event_class="REPORT") for pk in channels], ignore_conflicts=True)


def drop(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("ops", "AlertRule").objects.filter(event_class="REPORT").delete()


class Migration(migrations.Migration):
    """Channels that carry everything else carry the new class too: end-of-day reports. The owner may switch it off."""

    dependencies = [("ops", "0009_old_rows_may_be_let_go")]

    operations = [migrations.RunPython(carry, drop)]
