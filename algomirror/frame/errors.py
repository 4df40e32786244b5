"""Error pages that help, and the one error shape of the API."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework.exceptions import Throttled
from rest_framework.response import Response
from rest_framework.views import exception_handler

from algomirror.kernel.errors import Conflict, Denied, Misconfigured, Refused, Unknown
from algomirror.kernel.ids import new_key
from algomirror.ops import journal

GONE = frozenset({"PLAN_EXPIRED", "PLAN_CHANGED"})
API = "/api/"


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "errors/csrf.html", status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return JsonResponse(_body("INVALID", "The request is not valid."), status=400)
    return render(request, "errors/400.html", status=400)


def too_large(request: HttpRequest) -> HttpResponse:
    """A body that is turned away unread."""
    most = settings.UPLOAD_MAX_BYTES // 1_000_000
    if request.path.startswith(API):
        return JsonResponse(_body("TOO_LARGE", f"The request is larger than {most} MB."), status=413)
    return render(request, "errors/413.html", {"most_mb": most}, status=413)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(API):
        return JsonResponse(
            _body("INTERNAL", "We failed. Whether anything was done, the rows say: read before you repeat."), status=500
        )
    return render(request, "errors/500.html", status=500)


def _body(code: str, message: str, fields: Any = None, **more: Any) -> dict[str, Any]:
    return {"error": _shown({"code": code, "message": message, "fields": fields or {}, "request_id": new_key(), **more})}


def _shown(value: Any) -> Any:
    """What a sender wrote comes back in some messages; what cannot be shown or stored does not."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in value)
    if isinstance(value, dict):
        return {_shown(str(k)): _shown(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(v) for v in value]
    return value


def api_exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exc, Denied):
        denials = exc.numbers.get("denials") or [{"code": exc.code, "text": exc.message, **exc.numbers}]
        status = 410 if exc.code in GONE else 422
        return Response(_body(exc.code, exc.message, denials=journal.plain(denials)), status=status)
    if isinstance(exc, Conflict):
        return Response(_body("CONFLICT", exc.message, exc.fields), status=409)
    if isinstance(exc, Refused):
        return Response(_body("INVALID", exc.message, exc.fields), status=400)
    if isinstance(exc, RequestDataTooBig):
        return Response(_body("TOO_LARGE", f"A body may have {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes."), status=413)
    if isinstance(exc, (Unknown, Misconfigured)):
        return Response(_body(type(exc).__name__.upper(), str(exc)), status=503)
    return _of_the_framework(exc, context)


def _of_the_framework(exc: Exception, context: dict[str, Any]) -> Response | None:
    response = exception_handler(exc, context)
    if response is None:
        return None
    detail = response.data
    is_fields = isinstance(detail, dict) and set(detail) != {"detail"}
    message = (
        "The request is not valid." if is_fields else str(detail.get("detail", detail) if isinstance(detail, dict) else detail)
    )
    code = getattr(exc, "default_code", "not_found" if response.status_code == 404 else "error").upper()
    more = {"retry_after": round(getattr(exc, "wait", None) or 1)} if isinstance(exc, Throttled) else {}
    response.data = _body(code, message, detail if is_fields else None, **more)
    return response
