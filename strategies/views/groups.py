"""Groups of accounts with their factors."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Account
from algomirror.kernel.errors import Refused
from strategies.models import AccountGroup
from strategies.services import groups as service
from strategies.views.access import actor, trader, user_of


class GroupForm(forms.Form):
    name = forms.CharField(max_length=40)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for account in Account.objects.filter(archived_at=None):
            self.fields[f"factor-{account.pk}"] = forms.DecimalField(
                label=account.name,
                required=False,
                max_digits=8,
                decimal_places=3,
                widget=forms.TextInput(attrs={"inputmode": "decimal", "placeholder": "not in it"}),
            )

    def factors(self) -> dict[int, Decimal]:
        typed = self.cleaned_data
        return {int(name.partition("-")[2]): value for name, value in typed.items() if name != "name" and value is not None}


@require_http_methods(["GET", "HEAD", "POST"])
def groups(request: HttpRequest) -> HttpResponse:
    """The list, and one form: a new name makes a group, a known name gives it other members."""
    form = GroupForm(request.POST or None)
    if request.method == "POST":
        user = trader(request)
        known = AccountGroup.objects.filter(name=request.POST.get("name", "").strip()).first()
        if form.is_valid():
            try:
                service.save(form.cleaned_data["name"], form.factors(), by=actor(user), group=known)
                return redirect("account-groups")
            except Refused as refused:
                for name, what in refused.fields.items():
                    form.add_error(name if name in form.fields else None, what)
    context = {"form": form, "groups": service.listed(), "may_trade": user_of(request).may_trade}
    return render(request, "strategies/groups.html", context, status=422 if form.errors else 200)


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    group = AccountGroup.objects.filter(pk=pk).first()
    if group is None:
        raise Http404
    service.delete(group, by=actor(user))
    return redirect("account-groups")
