"""Who may press what on the trading pages."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import HttpRequest

from accounts.models import User
from algomirror.kernel.errors import Refused


def may_reduce(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.may_reduce


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
