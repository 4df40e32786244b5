"""Legs of every kind, sizing, schedules, groups, notes: the definition grows to its full size."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0020_margin_trust"),
        ("risk", "0020_margin"),
        ("strategies", "0002_initial"),
        ("trading", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AccountGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40, unique=True)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='GroupMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('factor', models.DecimalField(decimal_places=3, default=Decimal('1'), max_digits=8, validators=[django.core.validators.MinValueValidator(Decimal('0'))])),
            ],
            options={
                'ordering': ['account_id'],
            },
        ),
        migrations.CreateModel(
            name='RunNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('text', models.CharField(max_length=2000)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='RunTags',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('words', models.JSONField(default=list)),
            ],
            options={
                'verbose_name_plural': 'run tags',
            },
        ),
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('weekdays', models.JSONField(default=list, help_text='0 is Monday')),
                ('entry_time', models.TimeField()),
                ('latest_entry_time', models.TimeField()),
                ('days_to_expiry_min', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('days_to_expiry_max', models.PositiveSmallIntegerField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ScheduledStart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('trading_day', models.DateField()),
                ('state', models.CharField(choices=[('WAITING', 'waiting for the gate'), ('STARTED', 'Started'), ('MISSED', 'Missed')], default='WAITING', max_length=8)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('tried_at', models.DateTimeField(null=True)),
                ('why', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'ordering': ['-trading_day', 'strategy'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='leg',
            name='leg_offset_matches_mode',
        ),
        migrations.AddField(
            model_name='leg',
            name='expiry_date',
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='leg',
            name='limit_price',
            field=models.DecimalField(blank=True, decimal_places=2, max_digits=10, null=True),
        ),
        migrations.AddField(
            model_name='leg',
            name='price_type',
            field=models.CharField(choices=[('MARKET_PROTECTED', 'market-protected'), ('LIMIT', 'LIMIT'), ('SL', 'SL'), ('SL_M', 'SL-M')], default='MARKET_PROTECTED', max_length=16),
        ),
        migrations.AddField(
            model_name='leg',
            name='strike_value',
            field=models.DecimalField(blank=True, decimal_places=2, max_digits=12, null=True),
        ),
        migrations.AddField(
            model_name='leg',
            name='tolerance',
            field=models.PositiveSmallIntegerField(default=20, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(50)]),
        ),
        migrations.AddField(
            model_name='leg',
            name='trigger_price',
            field=models.DecimalField(blank=True, decimal_places=2, max_digits=10, null=True),
        ),
        migrations.AddField(
            model_name='strategy',
            name='is_template',
            field=models.BooleanField(default=False, help_text='a pattern to start from; it is never traded itself'),
        ),
        migrations.AddField(
            model_name='strategy',
            name='scheduled_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='strategy',
            name='tags',
            field=models.JSONField(default=list, help_text='words to find it by'),
        ),
        migrations.AddField(
            model_name='version',
            name='allocation',
            field=models.CharField(choices=[('EQUAL', 'equal: each account its lots × factor'), ('RATIO', 'ratio: the total by factor'), ('PERCENT', 'percent: the total by percent'), ('CUSTOM', 'custom: whole numbers as typed'), ('AVAILABLE_MARGIN', 'by usable margin')], default='EQUAL', max_length=16),
        ),
        migrations.AddField(
            model_name='version',
            name='grade',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='risk.tradegrade'),
        ),
        migrations.AddField(
            model_name='version',
            name='margin_policy',
            field=models.CharField(choices=[('LOWER_OF_BOTH', 'the smaller size of table and broker'), ('BROKER', "the broker's basket margin"), ('TABLE', 'our own table')], default='LOWER_OF_BOTH', max_length=13),
        ),
        migrations.AddField(
            model_name='version',
            name='market_condition',
            field=models.CharField(choices=[('ANY', 'any day'), ('EXPIRY', 'only when a leg expires that day'), ('NON_EXPIRY', 'only when no leg expires that day')], default='ANY', max_length=10),
        ),
        migrations.AddField(
            model_name='version',
            name='shortfall',
            field=models.CharField(choices=[('SKIP_ACCOUNT', 'skip the account'), ('REDUCE', 'take what fits'), ('REFUSE_ALL', 'refuse the whole plan')], default='SKIP_ACCOUNT', max_length=12),
        ),
        migrations.AddField(
            model_name='version',
            name='sizing',
            field=models.CharField(choices=[('FIXED_LOTS', 'fixed lots'), ('GRADE', 'by margin, with a grade')], default='FIXED_LOTS', max_length=10),
        ),
        migrations.AlterField(
            model_name='leg',
            name='kind',
            field=models.CharField(choices=[('CE', 'Call'), ('PE', 'Put'), ('FUT', 'Future')], max_length=3),
        ),
        migrations.AlterField(
            model_name='leg',
            name='slot',
            field=models.CharField(choices=[('CURRENT_WEEK', 'current week'), ('NEXT_WEEK', 'next week'), ('CURRENT_MONTH', 'current month'), ('NEXT_MONTH', 'next month'), ('DATE', 'fixed date')], max_length=13),
        ),
        migrations.AlterField(
            model_name='leg',
            name='strike_mode',
            field=models.CharField(choices=[('ATM', 'Atm'), ('ITM', 'Itm'), ('OTM', 'Otm'), ('STRIKE', 'strike'), ('PREMIUM', 'premium ₹'), ('DELTA', 'delta'), ('STRADDLE', '% of straddle')], default='ATM', max_length=8),
        ),
        migrations.AddConstraint(
            model_name='leg',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(models.Q(('strike_mode__in', ['ITM', 'OTM']), _negated=True), ('strike_offset', 0)), models.Q(('strike_mode__in', ['ITM', 'OTM']), ('strike_offset__gte', 1), ('strike_offset__lte', 20)), _connector='OR'), name='leg_offset_matches_mode'),
        ),
        migrations.AddConstraint(
            model_name='leg',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('expiry_date__isnull', False), ('slot', 'DATE')), models.Q(models.Q(('slot', 'DATE'), _negated=True), ('expiry_date__isnull', True)), _connector='OR'), name='leg_date_matches_slot'),
        ),
        migrations.AddField(
            model_name='groupmember',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='groups', to='accounts.account'),
        ),
        migrations.AddField(
            model_name='groupmember',
            name='group',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='members', to='strategies.accountgroup'),
        ),
        migrations.AddField(
            model_name='runnote',
            name='author',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='runnote',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notes', to='trading.run'),
        ),
        migrations.AddField(
            model_name='runtags',
            name='run',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='tags', to='trading.run'),
        ),
        migrations.AddField(
            model_name='schedule',
            name='version',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='schedule', to='strategies.version'),
        ),
        migrations.AddField(
            model_name='scheduledstart',
            name='run',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='scheduled_start', to='trading.run'),
        ),
        migrations.AddField(
            model_name='scheduledstart',
            name='strategy',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='scheduled_starts', to='strategies.strategy'),
        ),
        migrations.AddField(
            model_name='scheduledstart',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='strategies.version'),
        ),
        migrations.AddConstraint(
            model_name='groupmember',
            constraint=models.UniqueConstraint(fields=('group', 'account'), name='one_membership'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.CheckConstraint(condition=models.Q(('entry_time__lt', models.F('latest_entry_time'))), name='schedule_entry_before_latest'),
        ),
        migrations.AddConstraint(
            model_name='scheduledstart',
            constraint=models.UniqueConstraint(fields=('strategy', 'trading_day'), name='one_scheduled_start_per_day'),
        ),
        # The table of the plain relation becomes a model with one column more; its rows stay.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="StrategyAccount",
                    fields=[
                        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                        (
                            "account",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.account"
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="members", to="strategies.version"
                            ),
                        ),
                    ],
                    options={"db_table": "strategies_version_accounts", "unique_together": {("version", "account")}},
                ),
                migrations.AlterField(
                    model_name="version",
                    name="accounts",
                    field=models.ManyToManyField(related_name="+", through="strategies.StrategyAccount", to="accounts.account"),
                ),
            ],
        ),
        migrations.AddField(
            model_name="strategyaccount",
            name="factor",
            field=models.DecimalField(
                decimal_places=3,
                default=Decimal("1"),
                max_digits=8,
                validators=[django.core.validators.MinValueValidator(Decimal("0"))],
            ),
        ),
    ]
