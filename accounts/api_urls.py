from django.urls import path

from accounts import api, api_people
from accounts.tokens import api as token_api

urlpatterns = [
    path("me", api.Me.as_view(), name="api-me"),
    path("accounts", api.Accounts.as_view(), name="api-accounts"),
    path("accounts/test", api.TryServer.as_view(), name="api-accounts-test"),
    path("accounts/<int:pk>", api.AccountOne.as_view(), name="api-account"),
    path("accounts/<int:pk>/test", api.AccountTest.as_view(), name="api-account-test"),
    path("accounts/<int:pk>/primary", api.AccountPrimary.as_view(), name="api-account-primary"),
    path("accounts/<int:pk>/archive", api.AccountArchive.as_view(), name="api-account-archive"),
    path("accounts/<int:pk>/entries", api.AccountEntries.as_view(), name="api-account-entries"),
    path("users/invite", api_people.UsersInvite.as_view(), name="api-users-invite"),
    path("tokens", token_api.Tokens.as_view(), name="api-tokens"),
    path("tokens/<int:pk>", token_api.TokenOne.as_view(), name="api-token"),
    path("tokens/<int:pk>/revoke", token_api.TokenRevoke.as_view(), name="api-token-revoke"),
    *(path(f"accounts/<int:pk>/{kind}", api.BrokerRows.as_view(), {"kind": kind}, f"api-account-{kind}") for kind in api.KINDS),
]
