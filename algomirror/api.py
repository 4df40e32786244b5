"""/api/v1/: every room's endpoints under one roof, the document that describes them, and a page to read it."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path, re_path
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from algomirror.ops.api.doors import Door

ROOMS = ("algomirror.frame", "accounts", "marketdata", "trading", "risk", "strategies")


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document; it changes with the code only."""
    made: dict[str, Any] = SchemaGenerator(patterns=[path("api/v1/", include([*endpoints]))]).get_schema(  # type: ignore[no-untyped-call]
        request=None, public=True
    )
    return made


class Document(Door):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(document())


class NoSuchPath(Door):
    """Unknown paths answer in the one error shape too."""

    schema = None

    def get(self, request: Request, **_: Any) -> Response:
        raise Http404

    post = put = patch = delete = get


@require_safe
def read(request: HttpRequest) -> HttpResponse:
    """The document as a page."""
    rows = [
        {
            "method": method.upper(),
            "path": where,
            "says": operation.get("description", ""),
            "asked": [p for p in operation.get("parameters", []) if p["name"] != "Idempotency-Key"],
            "is_command": any(p["name"] == "Idempotency-Key" for p in operation.get("parameters", [])),
            "body": _fields(operation),
        }
        for where, operations in document()["paths"].items()
        for method, operation in operations.items()
    ]
    return render(request, "api/docs.html", {"rows": rows})


def _fields(operation: dict[str, Any]) -> list[dict[str, str]]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    shape = document()["components"]["schemas"].get(name, {})
    wanted = shape.get("required", [])
    return [{"name": field, "need": "required" if field in wanted else "optional"} for field in shape.get("properties", {})]


endpoints = [path("", include(f"{room}.api_urls")) for room in ROOMS]
urlpatterns = [
    *endpoints,
    path("openapi.json", Document.as_view(), name="api-document"),
    path("docs", read, name="api-docs"),
    re_path(r"^.*$", NoSuchPath.as_view(), name="api-nothing"),
]
