from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import Account
from strategies.domain.signals import Act, networks
from strategies.models import Strategy
from strategies.webhooks.models import Webhook
from strategies.webhooks.services import Wanted

DAYS = [(0, "Mon"), (1, "Tue"), (2, "Wed"), (3, "Thu"), (4, "Fri"), (5, "Sat"), (6, "Sun")]
WORDS = {
    Act.START: "start: preview and start a run",
    Act.EXIT: "exit: bring the open run to flat",
    Act.EXIT_LEG: "exit_leg: close one leg of the open run",
    Act.REDUCE: "reduce: close some lots of one leg",
    Act.STOP: "stop: entries of the strategy off",
    Act.KILL: "kill: entries off, cancel, flatten the open run",
}


class WebhookForm(forms.Form):
    name = forms.CharField(max_length=60)
    strategy = forms.TypedChoiceField(coerce=int)
    acts = forms.MultipleChoiceField(
        label="May", widget=forms.CheckboxSelectMultiple, choices=[(act.value, words) for act, words in WORDS.items()]
    )
    accounts = forms.TypedMultipleChoiceField(
        coerce=int, required=False, widget=forms.CheckboxSelectMultiple, help_text="None chosen: all accounts of the strategy."
    )
    paper_only = forms.BooleanField(required=False, initial=True, label="Paper only", help_text="Starts only on paper accounts.")
    enabled = forms.BooleanField(required=False, initial=True, label="On")
    sources = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Allowed addresses",
        help_text="Addresses or networks, one on each line. Empty: any.",
    )
    weekdays = forms.TypedMultipleChoiceField(
        coerce=int, required=False, choices=DAYS, widget=forms.CheckboxSelectMultiple, help_text="Starts only. None: every day."
    )
    opens = forms.TimeField(required=False, label="Starts from", widget=forms.TimeInput(attrs={"type": "time"}))
    closes = forms.TimeField(required=False, label="Starts until", widget=forms.TimeInput(attrs={"type": "time"}))
    max_starts_a_day = forms.IntegerField(label="Most starts a day", min_value=1, max_value=200, initial=5)
    cool_off_s = forms.IntegerField(label="Cool-off, seconds", min_value=0, max_value=86_400, initial=60)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        strategies = Strategy.objects.filter(archived_at=None).values_list("pk", "name")
        self.fields["strategy"].choices = [("", "choose"), *strategies]  # type: ignore[attr-defined]
        accounts = Account.objects.filter(archived_at=None)
        self.fields["accounts"].choices = [(a.pk, f"{a.name} ({a.mode.lower()})") for a in accounts]  # type: ignore[attr-defined]

    def clean_sources(self) -> list[str]:
        try:
            return networks(self.cleaned_data["sources"])
        except ValueError as wrong:
            raise forms.ValidationError(str(wrong)) from wrong

    def wanted(self) -> Wanted:
        typed = self.cleaned_data
        return Wanted(
            name=typed["name"],
            strategy_id=typed["strategy"],
            acts=tuple(typed["acts"]),
            account_ids=tuple(typed["accounts"]),
            sources=tuple(typed["sources"]),
            weekdays=tuple(typed["weekdays"]),
            opens=typed["opens"],
            closes=typed["closes"],
            max_starts_a_day=typed["max_starts_a_day"],
            cool_off_s=typed["cool_off_s"],
            paper_only=typed["paper_only"],
            enabled=typed["enabled"],
        )


def initial_of(hook: Webhook) -> dict[str, Any]:
    return {
        "name": hook.name,
        "strategy": hook.strategy_id,
        "acts": hook.acts,
        "accounts": list(hook.accounts.values_list("pk", flat=True)),
        "paper_only": hook.paper_only,
        "enabled": hook.enabled,
        "sources": "\n".join(hook.sources),
        "weekdays": hook.weekdays,
        "opens": hook.opens,
        "closes": hook.closes,
        "max_starts_a_day": hook.max_starts_a_day,
        "cool_off_s": hook.cool_off_s,
        "version": hook.version,
    }
