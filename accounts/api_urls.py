from django.urls import path

from accounts import api

urlpatterns = [
    path("me", api.Me.as_view(), name="api-me"),
    path("accounts", api.Accounts.as_view(), name="api-accounts"),
    path("accounts/test", api.TryServer.as_view(), name="api-accounts-test"),
    path("accounts/<int:pk>", api.AccountOne.as_view(), name="api-account"),
    path("accounts/<int:pk>/test", api.AccountTest.as_view(), name="api-account-test"),
    path("accounts/<int:pk>/primary", api.AccountPrimary.as_view(), name="api-account-primary"),
    path("accounts/<int:pk>/archive", api.AccountArchive.as_view(), name="api-account-archive"),
    path("accounts/<int:pk>/entries", api.AccountEntries.as_view(), name="api-account-entries"),
    *(path(f"accounts/<int:pk>/{kind}", api.BrokerRows.as_view(), {"kind": kind}, f"api-account-{kind}") for kind in api.KINDS),
]
