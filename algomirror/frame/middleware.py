"""A refusal raised anywhere below a page becomes a clear answer, never a traceback."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from algomirror.kernel.errors import Conflict, Refused

GetResponse = Callable[[HttpRequest], HttpResponse]


class RefusalMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refused):
            return None
        status = 409 if isinstance(exception, Conflict) else 422
        return render(request, "errors/refused.html", {"refusal": exception}, status=status)
