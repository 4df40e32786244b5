"""Who may press what on the pages of strategies and runs."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest

from accounts.models import User
from algomirror.kernel.errors import Refused
from algomirror.ops import sight
from strategies.models import Strategy, Version
from trading.models import Run


def user_of(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def trader(request: HttpRequest) -> User:
    """Owner and traders: strategies, runs, tickets, limits."""
    user = user_of(request)
    if not user.may_trade:
        raise PermissionDenied
    return user


def whole_trader(request: HttpRequest) -> User:
    """For what all accounts share: nobody who is limited to some of them."""
    user = trader(request)
    if sight.is_limited():
        raise PermissionDenied
    return user


def owner(request: HttpRequest) -> User:
    """Who alone releases and pauses."""
    user = user_of(request)
    if not user.is_owner:
        raise PermissionDenied
    return user


def reducer(request: HttpRequest) -> User:
    """Whoever may bring positions to flat: risk officers too."""
    user = user_of(request)
    if not user.may_reduce:
        raise PermissionDenied
    return user


def actor(user: User) -> str:
    return f"user:{user.username}"


def strategy_or_404(pk: int) -> Strategy:
    row = Strategy.objects.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


def version_or_404(strategy: Strategy) -> Version:
    version = strategy.current
    if version is None:
        raise Http404
    return version


def run_or_404(pk: int) -> Run:
    row = Run.objects.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


def is_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def checked(form: Form) -> None:
    """Raises Refused with every wrong field named."""
    if not form.is_valid():
        words = {name: " ".join(str(e) for e in errors) for name, errors in form.errors.items()}
        raise Refused("The form was not understood.", fields=words)
