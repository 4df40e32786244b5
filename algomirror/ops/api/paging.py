from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination

LARGEST_ID = 2**63 - 1


class Pages(CursorPagination):
    """Newest first, by id: a page does not shift while rows are added."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-id"

    def decode_cursor(self, request: Any) -> Any:
        cursor = super().decode_cursor(request)
        if cursor is None or cursor.position is None:
            return cursor
        place = str(cursor.position)
        if not (place.isascii() and place.isdecimal() and int(place) <= LARGEST_ID):
            raise NotFound(self.invalid_cursor_message)
        return cursor
