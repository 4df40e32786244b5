"""List, builder, and the plan of a strategy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Account
from algomirror.kernel.errors import Refused
from strategies import builderform, forms, legforms
from strategies.domain.drafts import Draft
from strategies.models import Strategy
from strategies.pages import ladder as ladders
from strategies.pages import payoffs, plans
from strategies.pages import strategies as page
from strategies.services import baskets, build, library
from strategies.services import preview as planning
from strategies.views.access import actor, is_fragment, strategy_or_404, trader, user_of, version_or_404


@require_safe
def strategies(request: HttpRequest) -> HttpResponse:
    archived, tag = request.GET.get("archived") == "1", request.GET.get("tag", "")[:30]
    rows = page.strategies_page(archived=archived, tag=tag)
    context = {"rows": rows, "archived": archived, "tag": tag, "may_trade": user_of(request).may_trade}
    return render(request, "strategies/strategies.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    trader(request)
    if request.method == "POST":
        return _save(request, None)
    draft = library.draft_of_template(request.GET.get("template", ""))
    return (
        from_draft(request, draft)
        if draft
        else _builder(request, builderform.StrategyForm(), _legs([dict(legforms.LEG_DEFAULT)]))
    )


def from_draft(request: HttpRequest, draft: Draft, *, said: Sequence[str] = ()) -> HttpResponse:
    """The builder filled from a template or a file; nothing is saved yet."""
    initial, rows = builderform.initial_of(draft, None)
    return _builder(request, builderform.StrategyForm(initial=initial), _legs(rows), said=said)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    user = user_of(request)
    strategy = strategy_or_404(pk)
    if request.method == "POST":
        trader(request)
        return _save(request, strategy)
    version = version_or_404(strategy)
    initial, rows = builderform.initial_of(build.draft_of(version), version.number)
    form = builderform.StrategyForm(initial=initial)
    return _builder(request, form, _legs(rows), strategy=strategy, may_trade=user.may_trade)


def _save(request: HttpRequest, strategy: Strategy | None) -> HttpResponse:
    user = trader(request)
    form, legs = builderform.StrategyForm(request.POST), legforms.LegFormSet(request.POST, prefix="legs")
    if form.is_valid() and legs.is_valid():
        try:
            version = build.save_strategy(
                user, builderform.draft_of(form, legs), strategy=strategy, base=form.cleaned_data["base"] if strategy else None
            )
        except Refused as refused:
            builderform.take_refusal(form, legs, refused)
        else:
            messages.info(request, f"Saved as version {version.number}. Preview it to see exactly what would be sent.")
            return redirect("strategy-edit", pk=version.strategy_id)
    return _builder(request, form, legs, strategy=strategy, status=422)


def _legs(rows: list[dict[str, Any]]) -> Any:
    return legforms.LegFormSet(initial=rows, prefix="legs")


def _builder(request: HttpRequest, form: Any, legs: Any, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {"form": form, "legs": legs, "may_trade": True, "said": [], **more}
    return render(request, "strategies/builder.html", context, status=status)


@require_POST
def legs(request: HttpRequest) -> HttpResponse:
    """Add, remove or duplicate a row of what is typed; nothing is saved or judged."""
    trader(request)
    rows = legforms.change_rows(legforms.leg_rows(request.POST), request.POST.get("op", ""))
    if not is_fragment(request):
        return _typed_again(request, rows)
    response = render(request, "strategies/_legs.html", {"legs": _legs(rows), "may_trade": True})
    response["HX-Trigger-After-Settle"] = json.dumps({"am:legs": {}})
    return response


def _typed_again(request: HttpRequest, rows: list[dict[str, Any]], **more: Any) -> HttpResponse:
    """The whole builder as typed, for a browser without scripts."""
    number = request.POST.get("strategy", "")
    strategy = strategy_or_404(int(number)) if number.isdecimal() and len(number) < 19 else None
    return _builder(request, builderform.StrategyForm(request.POST), _legs(rows), strategy=strategy, **more)


@require_POST
def strikes(request: HttpRequest) -> HttpResponse:
    """The strikes one typed leg could have, with prices; the broker may be asked for them. Nothing is saved."""
    trader(request)
    rows, at = legforms.leg_rows(request.POST), legforms.row_of(request.POST.get("op", ""))
    if not 0 <= at < len(rows):
        raise Http404
    chain = ladders.ladder(rows[at], at)
    if not is_fragment(request):
        return _typed_again(request, rows, chain=chain)
    return render(request, "strategies/_strikes.html", {"chain": chain})


@require_POST
def draft_preview(request: HttpRequest) -> HttpResponse:
    """What the typed legs mean now. Reads only; with `ask` it may ask the broker for prices once."""
    user = trader(request)
    formset = legforms.LegFormSet(request.POST, prefix="legs")
    if not formset.is_valid():
        return render(request, "strategies/_draft.html", {"draft": None})
    has_max_loss = bool(request.POST.get("max_loss", "").strip())
    ask = user.may_trade and request.POST.get("ask") == "1"
    draft = page.draft_preview(legforms.legs_of(formset), has_max_loss=has_max_loss, ask=ask)
    typed = forms.WhatIfForm(request.POST)
    curves = payoffs.of_resolved(draft.found, typed.what_if()) if typed.is_valid() else []
    return render(request, "strategies/_draft.html", {"draft": draft, "curves": curves, "whatif": typed})


@require_POST
def from_basket(request: HttpRequest) -> HttpResponse:
    """The chain's basket as legs of a new strategy; nothing is saved yet."""
    trader(request)
    rows, said = baskets.as_rows(forms.basket(request.POST.get("legs", "")))
    return _builder(request, builderform.StrategyForm(), _legs(rows or [dict(legforms.LEG_DEFAULT)]), said=said)


@require_POST
def basket_payoff(request: HttpRequest) -> HttpResponse:
    """What the chain's basket would make over its index, entered now. Reads only."""
    trader(request)
    curves = payoffs.of_basket(forms.basket(request.POST.get("legs", "")))
    return render(request, "strategies/_basket_payoff.html", {"curves": curves})


@require_POST
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a plan of the saved version; the answer is the drawer."""
    user = trader(request)
    version = version_or_404(strategy_or_404(pk))
    accounts = list(Account.objects.filter(pk__in=version.accounts.values("pk")))
    plan = planning.preview(version, accounts, user=user, attended=True)
    return render(request, _plan_template(request), {"page": plans.plan_page(plan)})


def _plan_template(request: HttpRequest) -> str:
    return "strategies/_plan.html" if is_fragment(request) else "strategies/plan.html"


@require_POST
def copy(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    version = build.copy(strategy_or_404(pk), owner=user)
    return redirect("strategy-edit", pk=version.strategy_id)


@require_POST
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    build.archive(strategy_or_404(pk), by=actor(user))
    messages.info(request, "Archived. Its runs and history stay.")
    return redirect("strategies")


@require_POST
def entries(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    build.set_entries(strategy_or_404(pk), enabled=request.POST.get("enabled") == "1", by=actor(user))
    return redirect("strategies")
