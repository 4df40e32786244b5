from django.urls import URLPattern, path

from accounts.views import accounts, gate

urlpatterns: list[URLPattern] = [
    path("", gate.landing, name="landing"),
    path("register", gate.register, name="register"),
    path("login", gate.login, name="login"),
    path("logout", gate.logout, name="logout"),
    path("accounts", accounts.accounts, name="accounts"),
    path("accounts/cards", accounts.account_cards, name="account_cards"),
    path("accounts/new", accounts.account_new, name="account_new"),
    path("accounts/test", accounts.account_try, name="account_try"),
    path("accounts/<int:account_id>/edit", accounts.account_edit, name="account_edit"),
    path("accounts/<int:account_id>/test", accounts.account_test, name="account_test"),
    path("accounts/<int:account_id>/primary", accounts.account_primary, name="account_primary"),
    path("accounts/<int:account_id>/entries", accounts.account_entries, name="account_entries"),
    path("accounts/<int:account_id>/archive", accounts.account_archive, name="account_archive"),
]
