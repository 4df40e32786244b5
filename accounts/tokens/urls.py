from django.urls import path

from accounts.tokens import views

urlpatterns = [
    path("settings/tokens", views.tokens, name="tokens"),
    path("settings/tokens/<int:pk>/revoke", views.revoke, name="token-revoke"),
]
