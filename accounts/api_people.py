"""Inviting people over the API."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Invite
from accounts.services import people
from accounts.tokens.auth import person, require_everything
from algomirror.ops.api.doors import Asked, Door, command


class InviteAsked(Asked):
    role = serializers.ChoiceField(choices=Invite.Role.values)


class Invited(serializers.Serializer[Any]):
    role = serializers.CharField()
    link = serializers.CharField(required=False, help_text="for one person, once, within a day; said this once")


class UsersInvite(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(request=InviteAsked, responses={201: Invited})
    @command
    def post(self, request: Request) -> Response:
        """A link that lets one person in with this role."""
        require_everything(request)
        role = self.body(InviteAsked)["role"]
        token = people.invite(person(request), role)
        response = Response({"role": role}, status=201)
        response.once = {"link": reverse("invite", args=[token])}  # type: ignore[attr-defined]
        return response
