from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import Account, User
from accounts.tokens.models import ApiToken
from accounts.tokens.services import LONGEST_DAYS, SCOPES_OF_ROLE


class TokenForm(forms.Form):
    name = forms.CharField(max_length=60, help_text="What will use it.")
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)
    accounts = forms.TypedMultipleChoiceField(
        coerce=int, required=False, widget=forms.CheckboxSelectMultiple, help_text="None chosen: all accounts, also later ones."
    )
    days = forms.IntegerField(label="Lives, days", min_value=1, max_value=LONGEST_DAYS, initial=90)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = SCOPES_OF_ROLE.get(user.role, frozenset())
        self.fields["scopes"].choices = [(v, label) for v, label in ApiToken.Scope.choices if v in mine]  # type: ignore[attr-defined]
        accounts = Account.objects.filter(archived_at=None).values_list("pk", "name")
        self.fields["accounts"].choices = list(accounts)  # type: ignore[attr-defined]
