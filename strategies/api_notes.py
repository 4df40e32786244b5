"""What people write beside a run, for programs."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.auth import person
from algomirror.ops.api.doors import Asked, Door, command
from algomirror.ops.api.schema import CURSOR, LIMIT
from risk.api import require_whole_run, run_of
from strategies.models import RunNote
from strategies.services import notes
from trading.api_shapes import page_of


class NoteShape(serializers.ModelSerializer[RunNote]):
    author = serializers.CharField(source="author.username")

    class Meta:
        model = RunNote
        fields = ("id", "run", "author", "at", "text")
        ref_name = "RunNote"


class NoteAsked(Asked):
    text = serializers.CharField(max_length=2000)


class RunNotes(Door):
    @extend_schema(parameters=[CURSOR, LIMIT], responses=page_of(NoteShape, "RunNote"))
    def get(self, request: Request, pk: int) -> Response:
        """Notes of a run, newest first."""
        run = run_of(request, pk)
        require_whole_run(request, run)
        return self.page(RunNote.objects.filter(run=run).select_related("author"), NoteShape)

    @extend_schema(request=NoteAsked, responses={201: NoteShape})
    @command
    def post(self, request: Request, pk: int) -> Response:
        """Add a note. It is never changed."""
        asked, run = self.body(NoteAsked), run_of(request, pk)
        require_whole_run(request, run)
        return Response(NoteShape(notes.add(run, asked["text"], author=person(request))).data, status=201)
