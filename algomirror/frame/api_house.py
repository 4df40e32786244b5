"""Readiness, the audit chain, and where alarms go."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.selectors import active_accounts
from accounts.tokens.auth import allowed, require_everything
from algomirror.frame.readiness import board
from algomirror.ops import chain, queue
from algomirror.ops.alerts import channels
from algomirror.ops.alerts.classes import NAMES
from algomirror.ops.alerts.models import AlertChannel, AlertRule
from algomirror.ops.api.doors import LARGEST_ID, Asked, Door, Nothing, actor, command, found
from algomirror.ops.models import Check


class CheckShape(serializers.ModelSerializer[Check]):
    account = serializers.IntegerField(source="account_id", help_text="0: of the whole product")

    class Meta:
        model = Check
        fields = ("name", "account", "state", "value", "remedy", "since", "checked_at")
        ref_name = "Check"


class BoardShape(serializers.Serializer[Any]):
    red = serializers.IntegerField()
    amber = serializers.IntegerField()
    checked_at = serializers.DateTimeField(allow_null=True)
    checks = CheckShape(many=True)


def _board(mine: frozenset[int] | None) -> dict[str, Any]:
    rows = [check for column in board.board().columns for check in column.checks]
    rows = [check for check in rows if mine is None or check.account_id == 0 or check.account_id in mine]
    count = {state: sum(check.state == state for check in rows) for state in ("RED", "AMBER")}
    at = max((check.checked_at for check in rows), default=None)
    return BoardShape({"red": count["RED"], "amber": count["AMBER"], "checked_at": at, "checks": rows}).data


class Readiness(Door):
    @extend_schema(responses=BoardShape)
    def get(self, request: Request) -> Response:
        """May we trade today: every line of the board as the last run of the checks left it."""
        return Response(_board(allowed(request)))


class ReadinessRun(Door):
    writes: ClassVar[str] = "trade"
    is_heavy: ClassVar[bool] = True

    @extend_schema(request=Nothing, responses={202: BoardShape})
    @command
    def post(self, request: Request) -> Response:
        """Judge what is stored now and have every account asked; the board follows when they answer."""
        board.run()
        ids = [account.pk for account in active_accounts()]
        if ids:
            queue.enqueue("signals", "algomirror.frame.tasks.ask_and_check", *ids, key="readiness-asked", waits_s=30)
        return Response(_board(allowed(request)), status=202)


class Verified(serializers.Serializer[Any]):
    intact = serializers.BooleanField(source="is_intact")
    checked = serializers.IntegerField()
    unsealed = serializers.IntegerField()
    head = serializers.CharField(help_text="position:digest of the newest link; remember it outside")
    broken = serializers.IntegerField(allow_null=True, help_text="id of the first row that does not fit its seal")
    why = serializers.CharField()


class VerifyAsked(Asked):
    remembered = serializers.RegexField(r"^\d{1,18}:[0-9a-f]{64}$", required=False, help_text="a head noted earlier")


class AuditVerify(Door):
    is_heavy: ClassVar[bool] = True

    @extend_schema(parameters=[VerifyAsked], responses=Verified)
    def get(self, request: Request) -> Response:
        """Walk the whole chain over the journal."""
        require_everything(request)
        asked = self.params(VerifyAsked)
        return Response(Verified(chain.verify(remembered=asked.get("remembered", ""))).data)


class ChannelShape(serializers.ModelSerializer[AlertChannel]):
    classes = serializers.SerializerMethodField()

    class Meta:
        model = AlertChannel
        fields = (
            "id",
            "name",
            "kind",
            "enabled",
            "quiet_from",
            "quiet_to",
            "failures_in_row",
            "last_error",
            "last_sent_at",
            "classes",
        )
        ref_name = "AlertChannel"

    def get_classes(self, channel: AlertChannel) -> list[str]:
        return sorted(rule.event_class for rule in channel.rules.all())


class ChannelsShape(serializers.Serializer[Any]):
    results = ChannelShape(many=True)


def _channels() -> Any:
    return ChannelsShape({"results": AlertChannel.objects.prefetch_related("rules")}).data


class AlertChannels(Door):
    reads: ClassVar[str] = "admin"

    @extend_schema(responses=ChannelsShape)
    def get(self, request: Request) -> Response:
        """Who hears which alarms. What a channel needs to be reached is sealed and never shown."""
        return Response(_channels())


class ChannelTried(serializers.Serializer[Any]):
    sent = serializers.BooleanField()
    trouble = serializers.CharField()


class AlertChannelTest(Door):
    writes: ClassVar[str] = "admin"
    is_heavy: ClassVar[bool] = True

    @extend_schema(request=Nothing, responses=ChannelTried)
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Send a harmless message now."""
        trouble = channels.try_now(found(AlertChannel.objects.all(), pk=pk))
        return Response(ChannelTried({"sent": not trouble, "trouble": trouble}).data)


class RuleAsked(Asked):
    channel = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    classes = serializers.ListField(child=serializers.ChoiceField(choices=sorted(NAMES)), max_length=len(NAMES))


class AlertRules(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(request=RuleAsked, responses=ChannelsShape)
    @command
    def put(self, request: Request) -> Response:
        """The classes that one channel carries, exactly these from now on."""
        asked = self.body(RuleAsked)
        channel = found(AlertChannel.objects.all(), pk=asked["channel"])
        others = AlertRule.objects.exclude(channel=channel).values_list("channel_id", "event_class")
        channels.set_rules([*others, *((channel.pk, one) for one in asked["classes"])], by=actor(request))
        return Response(_channels())
