"""Funds, margin figures, grades and the calculator."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Account
from accounts.services.profile import set_margin_profile
from algomirror.kernel.errors import Refused
from algomirror.kernel.money import parse_decimal
from marketdata.models import Underlying
from risk.models import MarginRequirement, TradeGrade
from risk.services import margins
from strategies.pages import margin as page
from strategies.pages import tracker as tracks
from strategies.services import asking
from strategies.views.access import actor, checked, trader, user_of, whole_trader


class GradeForm(forms.Form):
    grade = forms.IntegerField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(max_length=10)
    share = forms.DecimalField(
        label="Share, %", max_digits=5, decimal_places=2, min_value=Decimal("0.01"), max_value=Decimal(100)
    )
    basis = forms.ChoiceField(choices=TradeGrade.Basis.choices)
    description = forms.CharField(required=False, max_length=120)


class CalculatorForm(forms.Form):
    account = forms.ChoiceField(required=False, help_text="Its usable margin, or type an amount.")
    amount = forms.CharField(required=False, max_length=24, label="Amount ₹")
    underlying = forms.ChoiceField()
    what = forms.ChoiceField(label="Structure", choices=page.STRUCTURES)
    grade = forms.ChoiceField()
    is_expiry = forms.BooleanField(required=False, label="On expiry day")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = [(str(a.pk), a.name) for a in Account.objects.filter(archived_at=None)]
        names = Underlying.objects.filter(enabled=True).values_list("symbol", flat=True)
        self.fields["account"].choices = [("", "none"), *accounts]  # type: ignore[attr-defined]
        self.fields["underlying"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        self.fields["grade"].choices = [(g.name, f"{g} {g.label}") for g in margins.grades()]  # type: ignore[attr-defined]

    def rupees(self) -> Decimal:
        """The typed amount, or the usable margin of the account. Refused when neither is known."""
        typed = self.cleaned_data
        if typed["amount"]:
            amount = parse_decimal(typed["amount"])
            if amount is None or amount <= 0:
                raise Refused("No amount.", fields={"amount": "an amount in rupees above 0"})
            return amount
        rows = [row for row in page.funds_rows() if str(row.account.pk) == typed["account"]]
        if not rows:
            raise Refused("No amount.", fields={"amount": "type an amount or choose an account"})
        if rows[0].usable is None:
            raise Refused("Not known.", fields={"account": rows[0].why or "its funds are not known"})
        return rows[0].usable


@require_safe
def funds(request: HttpRequest) -> HttpResponse:
    return render(request, "strategies/funds.html", {**page.funds_page(), "may_trade": user_of(request).may_trade})


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "strategies/_funds.html", {**page.funds_page(), "may_trade": user_of(request).may_trade})


@require_POST
def refresh(request: HttpRequest) -> HttpResponse:
    """Ask every broker now."""
    trader(request)
    page.funds_rows(ask=True)
    return redirect("funds")


@require_POST
def profile(request: HttpRequest, pk: int) -> HttpResponse:
    user = trader(request)
    account = Account.objects.filter(pk=pk, archived_at=None).first()
    if account is None:
        raise Http404
    chosen = {name: request.POST.get(name) == "1" for name in ("collateral_included", "available_is_gross", "margin_trusted")}
    set_margin_profile(account, **chosen, by=actor(user))
    messages.info(request, f"The funds of {account.name} are now read that way.")
    return redirect("funds")


@require_http_methods(["GET", "HEAD", "POST"])
def requirements(request: HttpRequest) -> HttpResponse:
    """The table; a POST changes one figure."""
    user = user_of(request)
    refused: Refused | None = None
    if request.method == "POST":
        whole_trader(request)
        try:
            _set_figure(request, actor(user))
            return redirect("margin-requirements")
        except Refused as error:
            refused = error
    context = {"rows": page.requirement_rows(), "may_trade": user.may_trade, "refused": refused}
    return render(request, "strategies/requirements.html", context, status=200 if refused is None else 422)


def _set_figure(request: HttpRequest, by: str) -> None:
    underlying, kind = request.POST.get("underlying", ""), request.POST.get("kind", "")
    rupees = parse_decimal(request.POST.get("rupees", ""))
    if not Underlying.objects.filter(symbol=underlying).exists():
        raise Refused("The margin figure was not saved.", fields={"underlying": "unknown"})
    if kind not in MarginRequirement.Kind.values:
        raise Refused("The margin figure was not saved.", fields={"kind": "unknown"})
    if rupees is None or not 1 <= rupees <= 99_999_999 or rupees != rupees.quantize(Decimal("0.01")):
        raise Refused("The margin figure was not saved.", fields={"rupees": "an amount in rupees, 1 to 9,99,99,999"})
    margins.set_figure(underlying, kind, request.POST.get("is_expiry") == "1", rupees, by=by)


@require_http_methods(["GET", "HEAD", "POST"])
def grades(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    form = GradeForm(request.POST or None)
    if request.method == "POST":
        whole_trader(request)
        if form.is_valid():
            typed = dict(form.cleaned_data)
            number = typed.pop("grade")
            known = TradeGrade.objects.filter(pk=number, archived_at=None).first() if number else None
            if number and known is None:
                raise Http404
            try:
                margins.save_grade(**typed, by=actor(user), grade=known)
                return redirect("margin-grades")
            except Refused as refused:
                for name, what in refused.fields.items():
                    form.add_error(name if name in form.fields else None, what)
    context = {"form": form, "grades": margins.grades(), "bases": TradeGrade.Basis.choices, "may_trade": user.may_trade}
    return render(request, "strategies/grades.html", context, status=422 if form.errors else 200)


@require_POST
def archive_grade(request: HttpRequest, pk: int) -> HttpResponse:
    user = whole_trader(request)
    grade = TradeGrade.objects.filter(pk=pk, archived_at=None).first()
    if grade is None:
        raise Http404
    margins.archive_grade(grade, by=actor(user))
    return redirect("margin-grades")


@require_safe
def calculator(request: HttpRequest) -> HttpResponse:
    """Answers from the address alone: nothing is changed or asked."""
    user_of(request)
    form = CalculatorForm(request.GET or None)
    answer = None
    if request.GET:
        try:
            answer = _answer(form)
        except Refused as refused:
            _add_errors(form, refused)
    return _calculated(request, form, answer=answer)


def _answer(form: CalculatorForm) -> page.Calculation:
    checked(form)
    typed = form.cleaned_data
    return page.calculate(
        amount=form.rupees(),
        underlying=typed["underlying"],
        what=typed["what"],
        grade=TradeGrade.objects.get(name=typed["grade"]),
        is_expiry=typed["is_expiry"],
    )


def _add_errors(form: CalculatorForm, refused: Refused) -> None:
    for name, what in refused.fields.items():
        if name in form.fields and name not in form.errors:
            form.add_error(name, what)


def _calculated(request: HttpRequest, form: CalculatorForm, **more: Any) -> HttpResponse:
    context = {
        "form": form,
        "may_trade": user_of(request).may_trade,
        "accounts": Account.objects.filter(archived_at=None),
        **more,
    }
    return render(request, "strategies/calculator.html", context, status=422 if form.errors else 200)


@require_POST
def ask_brokers(request: HttpRequest) -> HttpResponse:
    """The chosen accounts' brokers are asked what one such structure blocks; shown beside our table, kept nowhere."""
    trader(request)
    form = CalculatorForm(request.POST)
    numbers = [int(pk) for pk in request.POST.getlist("asked") if pk.isdecimal() and len(pk) < 10]
    chosen = list(Account.objects.filter(pk__in=numbers, archived_at=None))
    asked = answer = None
    try:
        answer = _answer(form)
        if not chosen or len(chosen) != len(request.POST.getlist("asked")):
            raise Refused("Nobody is asked.", fields={"account": "choose accounts that exist to ask their brokers"})
        asked = asking.ask_baskets(page.legs_of(form.cleaned_data["underlying"], form.cleaned_data["what"]), chosen)
    except Refused as refused:
        _add_errors(form, refused)
    return _calculated(request, form, answer=answer, asked=asked, chosen=set(numbers))


@require_safe
def tracker(request: HttpRequest) -> HttpResponse:
    """Margin in use over the last days; anything but a day count it offers means the first."""
    typed = request.GET.get("days", "")
    days = next((n for n in tracks.DAYS if str(n) == typed), tracks.DAYS[0])
    return render(request, "strategies/tracker.html", tracks.tracker_page(days))
