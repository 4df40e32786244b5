"""Who may press what on the trading pages."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest

from accounts.models import User
from algomirror.kernel.errors import Refused


def may_reduce(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.may_reduce


def may_trade(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.may_trade


def trading(request: HttpRequest) -> str:
    """The journal's name for this person, who may change orders. Raises PermissionDenied."""
    if not isinstance(request.user, User) or not request.user.may_trade:
        raise PermissionDenied
    return f"user:{request.user.username}"


def reducing(request: HttpRequest) -> str:
    """The journal's name for this person, who may cancel and close. Raises PermissionDenied."""
    if not isinstance(request.user, User) or not request.user.may_reduce:
        raise PermissionDenied
    return f"user:{request.user.username}"


def is_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def checked(form: Form) -> None:
    """Raises Refused with every wrong field named."""
    if not form.is_valid():
        words = {name: " ".join(str(e) for e in errors) for name, errors in form.errors.items()}
        raise Refused("The form was not understood.", fields=words)


def asked_query(request: HttpRequest) -> str:
    """The filters of this request for links that keep them; not the page."""
    return urlencode([(name, value) for name, value in request.GET.items() if name != "before" and value])


def before_of(request: HttpRequest) -> int | None:
    """The order or fill that the page asked for lies before; None on the newest page, and for nonsense."""
    given = request.GET.get("before", "")
    return int(given) if given.isdecimal() and len(given) < 19 else None
