"""Forms of the gate and of accounts. They read what was typed; whether it may be, services say."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from accounts import attempts
from accounts.models import Account, Invite
from accounts.services.account import Wanted
from algomirror.kernel.errors import Refused


def take_refusal(form: forms.Form, refusal: Refused) -> None:
    """Put a service's refusal beside the fields it speaks of."""
    loose = [what for name, what in refusal.fields.items() if name not in form.fields]
    for name, what in refusal.fields.items():
        if name in form.fields:
            form.add_error(name, what)
    if loose or not refusal.fields:
        form.add_error(None, " ".join([refusal.message, *loose]))


class RegisterForm(forms.Form):
    username = forms.CharField(
        max_length=20, min_length=3, widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = forms.CharField(
        max_length=128,
        strip=False,
        help_text="8 to 128 characters with upper and lower case, a digit and a special character.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="Password again", max_length=128, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("password") and typed.get("again") and typed["password"] != typed["again"]:
            self.add_error("again", "The two passwords are not the same.")
        return typed


class SignInForm(AuthenticationForm):
    remember = forms.BooleanField(label="Remember me for 30 days", required=False)
    is_locked = False

    def clean(self) -> dict[str, Any]:
        """A locked name's password is not even looked at, so the lock gives nothing away."""
        if attempts.is_locked(self.cleaned_data.get("username", "")):
            self.is_locked = True
            raise forms.ValidationError("This name is locked for 15 minutes after too many failed sign-ins.", code="locked")
        return super().clean()


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=40,
        help_text="Six digits from your authenticator app, or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false"}),
    )


class PasswordForm(forms.Form):
    present = forms.CharField(
        label="Present password",
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label="New password",
        max_length=128,
        strip=False,
        help_text="8 to 128 characters with upper and lower case, a digit and a special character.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="New password again",
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("new") and typed.get("again") and typed["new"] != typed["again"]:
            self.add_error("again", "The two passwords are not the same.")
        return typed


class InviteForm(forms.Form):
    role = forms.ChoiceField(
        choices=[
            (Invite.Role.TRADER, "Trader: strategies, runs, ticket, limits"),
            (Invite.Role.RISK, "Risk: looks, exits, kill switch"),
            (Invite.Role.VIEWER, "Viewer: looks"),
        ]
    )


class AccountForm(forms.Form):
    name = forms.CharField(min_length=3, max_length=100, help_text="Yours to choose; it stands beside every order and position.")
    mode = forms.ChoiceField(
        label="Expected mode",
        choices=Account.Mode.choices,
        initial=Account.Mode.PAPER,
        help_text="Must be what the server says of itself. If it ever says otherwise, the account is halted.",
    )
    host_url = forms.CharField(
        label="Host URL",
        max_length=200,
        initial="http://127.0.0.1:5000",
        help_text="Without a path. https:// outside this network.",
    )
    websocket_url = forms.CharField(
        label="WebSocket URL", max_length=200, initial="ws://127.0.0.1:8765", help_text="Behind the usual proxy: wss://host/ws"
    )
    key = forms.CharField(
        label="API key",
        min_length=10,
        max_length=256,
        help_text="From the server's API key page. Kept sealed, never shown again.",
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    backup_rank = forms.IntegerField(
        min_value=0, max_value=1000, required=False, help_text="Order in which backups take over the feed."
    )
    orders_per_second = forms.IntegerField(min_value=1, max_value=100, initial=10, help_text="What this broker allows.")
    brokerage_per_order = forms.DecimalField(
        label="Brokerage per order, ₹", min_value=0, max_digits=8, decimal_places=2, initial=20
    )
    holder = forms.CharField(required=False, max_length=80, help_text="Whose account it is.")
    relation = forms.ChoiceField(
        label="It is of", required=False, choices=Account.Relation.choices, initial=Account.Relation.SELF,
        help_text="One registered address may serve one family only.",
    )  # fmt: skip
    registered_address = forms.GenericIPAddressField(
        label="Registered IP",
        required=False,
        help_text="The static address the broker was told. Live orders from another are refused.",
    )
    config_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, account: Account | None = None, **kwargs: Any) -> None:
        if account is not None:
            kwargs.setdefault("initial", {n: getattr(account, n) for n in self.base_fields if hasattr(account, n)})
        super().__init__(*args, **kwargs)
        if account is not None:
            self.fields["key"].required = False
            self.fields["key"].help_text = "Leave it empty to keep the present key."

    def wanted(self) -> Wanted:
        typed = dict(self.cleaned_data)
        typed.pop("config_version")
        typed["backup_rank"] = typed["backup_rank"] or 0
        typed["relation"] = typed["relation"] or Account.Relation.SELF
        return Wanted(**typed)
