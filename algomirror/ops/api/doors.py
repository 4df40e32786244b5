"""The base of every endpoint: which scope it wants, how it reads a request, and commands that act once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC
from functools import wraps
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from algomirror.kernel.ids import digest
from algomirror.ops.api import commands
from algomirror.ops.api.paging import Pages

M = TypeVar("M", bound=Model)
Handler = Callable[..., Response]

LARGEST_ID = 2**63 - 1
_KEY = re.compile(r"^[A-Za-z0-9_.:-]{1,64}$")


class KeyWanted(APIException):
    status_code = 400
    default_detail = "Send the header Idempotency-Key: 1 to 64 letters, digits or _.:- that name this command."
    default_code = "idempotency_key_required"


class Asked(serializers.Serializer[Any]):
    """What a request may say. A name that is not known is refused: a misspelt "account" must not mean all accounts."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
            raise serializers.ValidationError({name[:80]: ["There is no such field."] for name in unknown[:10]})
        return super().to_internal_value(data)


class Nothing(Asked):
    """A request without a body."""


class Door(APIView):
    """`reads` and `writes` are the scopes wanted; `is_heavy` is rationed more."""

    reads: ClassVar[str] = "read"
    writes: ClassVar[str] = "trade"
    is_heavy: ClassVar[bool] = False

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Times leave as UTC, as the document promises; the zone of the pages is India's."""
        with timezone.override(UTC):
            return super().dispatch(request, *args, **kwargs)

    def scope_wanted(self, method: str) -> str:
        return self.reads if method in ("GET", "HEAD", "OPTIONS") else self.writes

    def params(self, shape: type[Asked]) -> dict[str, Any]:
        """The query string, judged."""
        return _judged(shape, self.request.query_params.dict())

    def body(self, shape: type[Asked]) -> dict[str, Any]:
        return _judged(shape, self.request.data)

    def page(self, rows: QuerySet[M], shape: type[serializers.BaseSerializer[Any]]) -> Response:
        """One page of rows, newest first."""
        pages = Pages()
        found = pages.paginate_queryset(rows, self.request, view=self)
        return pages.get_paginated_response(shape(found, many=True).data)


def _judged(shape: type[Asked], data: Any) -> dict[str, Any]:
    asked = shape(data=data)
    asked.is_valid(raise_exception=True)
    judged: dict[str, Any] = asked.validated_data
    return judged


def found(rows: QuerySet[M], **which: Any) -> M:
    """The row or 404; also for what is not the caller's."""
    row = rows.filter(**which).first()
    if row is None:
        raise Http404
    return row


def username(request: Request) -> str:
    return str(request.user.get_username())


def actor(request: Request) -> str:
    """As the journal names the caller: a person, or a person's token."""
    name, token = f"user:{username(request)}", getattr(request.auth, "prefix", "")
    return f"{name} token:{token}" if token else name


def command(handler: Handler) -> Handler:
    """An unsafe method: wants an Idempotency-Key, acts once per key, and answers a repeat with the first answer.

    What stands in the response's `once` (a new secret) is said this time and kept nowhere.
    """

    @wraps(handler)
    def once(self: Door, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not _KEY.match(key):
            raise KeyWanted
        row, is_mine = commands.claim(_asked(request, key))
        if not is_mine:
            return _answered(row.answer, row.status or 200, is_replay=True)
        try:
            response = handler(self, request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - every refusal is an answer too, and is kept like one
            try:
                response = self.handle_exception(error)
            except Exception:
                commands.fail(row)
                raise
        answer = json.loads(JSONRenderer().render(response.data))
        if response.status_code < 300:
            answer = {"command_id": row.public_id, "command_state": "DONE", **(answer or {})}
        if response.status_code >= 500:
            commands.fail(row)
        else:
            commands.finish(row, status=response.status_code, answer=answer)
        return _answered({**(answer or {}), **getattr(response, "once", {})}, response.status_code, is_replay=False)

    once.is_command = True  # type: ignore[attr-defined]
    return once


def _asked(request: Request, key: str) -> commands.Asked:
    method, path = str(request.method), request.path
    content = digest(method, request.get_full_path(), json.dumps(request.data, sort_keys=True, default=str))
    return commands.Asked(actor=f"user:{username(request)}", key=key, method=method, path=path, digest=content)


def _answered(answer: Any, status: int, *, is_replay: bool) -> Response:
    headers = {"Idempotent-Replayed": "true" if is_replay else "false"}
    return Response({**(answer or {}), "replayed": is_replay}, status=status, headers=headers)
