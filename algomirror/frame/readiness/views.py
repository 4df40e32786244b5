from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.selectors import active_accounts
from algomirror.frame.readiness import board
from algomirror.ops import queue


@require_safe
@never_cache
def readiness(request: HttpRequest) -> HttpResponse:
    return render(request, "frame/readiness.html", {"board": board.board()})


@require_safe
@never_cache
def parts(request: HttpRequest) -> HttpResponse:
    return render(request, "frame/_readiness.html", {"board": board.board()})


@require_POST
def run_now(request: HttpRequest) -> HttpResponse:
    """Judge what is stored at once, and have every account asked; the board follows when they answer."""
    if not isinstance(request.user, User) or not request.user.may_reduce:
        raise PermissionDenied
    board.run()
    ids = [account.pk for account in active_accounts()]
    if ids:
        queue.enqueue("signals", "algomirror.frame.tasks.ask_and_check", *ids, key="readiness-asked", waits_s=30)
    if request.headers.get("HX-Request") == "true":
        return render(request, "frame/_readiness.html", {"board": board.board()})
    messages.info(request, "Checked from what is known; the accounts are being asked now.")
    return redirect("readiness")
