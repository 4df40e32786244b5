from __future__ import annotations

from typing import Any

from django import forms

from algomirror.ops.alerts.models import AlertChannel

SECURITY = [("starttls", "STARTTLS"), ("ssl", "TLS from the start"), ("none", "none (own network only)")]


class ChannelForm(forms.Form):
    """One form for every kind; which fields are needed depends on it, and the service says so."""

    kind = forms.ChoiceField(choices=AlertChannel.Kind.choices)
    name = forms.CharField(max_length=60)
    quiet_from = forms.TimeField(required=False, label="Quiet from", widget=forms.TimeInput(attrs={"type": "time"}))
    quiet_to = forms.TimeField(required=False, label="Quiet until", widget=forms.TimeInput(attrs={"type": "time"}))
    token = forms.CharField(
        required=False, max_length=200, label="Telegram: bot token", widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
    chat = forms.CharField(required=False, max_length=40, label="Telegram: chat id")
    host = forms.CharField(required=False, max_length=200, label="E-mail: server")
    port = forms.IntegerField(required=False, min_value=1, max_value=65_535, label="E-mail: port")
    security = forms.ChoiceField(required=False, choices=SECURITY, label="E-mail: encryption")
    user = forms.CharField(required=False, max_length=200, label="E-mail: user")
    password = forms.CharField(
        required=False, max_length=200, label="E-mail: password", widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
    sender = forms.EmailField(required=False, label="E-mail: from")
    recipient = forms.EmailField(required=False, label="E-mail: to")
    url = forms.CharField(required=False, max_length=500, label="Webhook: address")

    def config(self) -> dict[str, Any]:
        names = {
            "TELEGRAM": ("token", "chat"),
            "EMAIL": ("host", "port", "security", "user", "password", "sender", "recipient"),
            "WEBHOOK": ("url",),
        }.get(self.cleaned_data["kind"], ())
        return {name: self.cleaned_data[name] for name in names}
