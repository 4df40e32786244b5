"""Groups of accounts, as programs may see them: which accounts each holds, with its factor."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.auth import allowed
from algomirror.ops.api.doors import Door
from strategies.services import groups as service


class MemberShape(serializers.Serializer[Any]):
    account = serializers.IntegerField(source="account_id")
    name = serializers.CharField(source="account.name")
    factor = serializers.DecimalField(
        max_digits=8, decimal_places=3, help_text="how many structures it takes where another takes 1"
    )

    class Meta:
        ref_name = "GroupMember"


class GroupShape(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    accounts = MemberShape(many=True, source="members.all")

    class Meta:
        ref_name = "Group"


class Groups(Door):
    @extend_schema(responses=GroupShape(many=True))
    def get(self, request: Request) -> Response:
        """Groups by name, each account with its factor. A group that has an account you may not see is not listed."""
        return Response(GroupShape(service.listed(allowed(request)), many=True).data)
