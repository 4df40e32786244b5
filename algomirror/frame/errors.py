"""Error pages that help, and the one error shape of the API."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.response import Response
from rest_framework.views import exception_handler

from algomirror.kernel.errors import Conflict, Denied, Refused


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "errors/csrf.html", status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/403.html", status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "errors/500.html", status=500)


def _body(code: str, message: str, fields: Any = None, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "fields": fields or {}, **more}}


def api_exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exc, Denied):
        return Response(_body("DENIED", exc.message, denials=[{"code": exc.code, "numbers": exc.numbers}]), status=422)
    if isinstance(exc, Conflict):
        return Response(_body("CONFLICT", exc.message, exc.fields), status=409)
    if isinstance(exc, Refused):
        return Response(_body("INVALID", exc.message, exc.fields), status=400)
    response = exception_handler(exc, context)
    if response is None:
        return None
    detail = response.data
    is_fields = isinstance(detail, dict) and set(detail) != {"detail"}
    message = (
        "The request is not valid." if is_fields else str(detail.get("detail", detail) if isinstance(detail, dict) else detail)
    )
    code = getattr(exc, "default_code", "error").upper()
    response.data = _body(code, message, detail if is_fields else None)
    return response
