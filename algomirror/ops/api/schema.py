"""The OpenAPI document says what every endpoint wants: its scope, its key, and how errors look."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})

KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$"},
    OpenApiParameter.HEADER,
    required=True,
    description="Names this command. The same key and body again get the first answer, with replayed: true.",
)
CURSOR = OpenApiParameter("cursor", str, description="From `next` or `previous` of a page.")
LIMIT = OpenApiParameter("limit", int, description="Rows a page, at most 200.")

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fields", "request_id"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "fields": {"type": "object"},
                "request_id": {"type": "string"},
                "denials": {"type": "array", "items": {"type": "object"}},
                "retry_after": {"type": "integer"},
            },
        }
    },
}


class Schema(AutoSchema):
    def get_operation_id(self) -> str:
        """Method and path, as get_orders_id: two never collide, and a new endpoint renames no other in somebody's client."""
        words = re.findall(r"[a-z0-9]+", self.path.removeprefix("/api/v1/").lower())
        return "_".join([self.method.lower(), *words])

    def get_override_parameters(self) -> list[Any]:
        return [KEY] if self.method in UNSAFE else []

    def get_description(self) -> str:  # type: ignore[override]
        scope = self.view.scope_wanted(self.method) if hasattr(self.view, "scope_wanted") else "read"
        return f"{super().get_description()}\n\nScope: {scope}.".strip()


def with_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every operation may answer with the one error shape."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    answer = {"description": "Refused", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["4XX"] = answer
    return result
