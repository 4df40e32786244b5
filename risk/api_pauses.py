"""Holding a guard back for a while, by the owner's programs."""

from __future__ import annotations

from typing import ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from algomirror.kernel.errors import Conflict
from algomirror.ops.api.doors import Asked, Door, actor, command
from risk import api_shapes as shapes
from risk import pages, selectors
from risk.api import require_whole_run, run_of
from risk.services import pausing
from trading.models import Run


class PauseAsked(Asked):
    until = serializers.DateTimeField(allow_null=True, help_text="at most a day ahead; null: it acts again from now on")
    reason = serializers.CharField(max_length=300)


class Pause(Door):
    writes: ClassVar[str] = "admin"

    @extend_schema(request=PauseAsked, responses={202: shapes.Guard})
    @command
    def post(self, request: Request, pk: int, guard: int) -> Response:
        """A guard does not act before `until`, watches on, and acts again by itself. Other guards and exits by hand go on."""
        asked, run = self.body(PauseAsked), run_of(request, pk)
        require_whole_run(request, run)
        _shown(run, guard)
        if asked["until"] is None:
            pausing.resume(guard, by=actor(request), why=asked["reason"])
        else:
            pausing.pause(guard, until=asked["until"], by=actor(request), why=asked["reason"])
        return Response(shapes.Guard(_shown(run, guard)).data, status=202)


def _shown(run: Run, guard_id: int) -> pages.LimitRow:
    """404 for a guard of another run, or one that is switched off."""
    found = selectors.open_run(run.pk)
    if found is None:
        raise Conflict("The run is closed.")
    row = next((limit for one in pages.run_rows([found]) for limit in one.limits if limit.guard_id == guard_id), None)
    if row is None:
        raise Http404
    return row
