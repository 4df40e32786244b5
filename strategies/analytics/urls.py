from django.urls import path

from strategies.analytics import views

urlpatterns = [
    path("analytics", views.analytics, name="analytics"),
    path("journal", views.journal, name="journal"),
    path("analytics/equity.json", views.equity, name="analytics-equity"),
    path("analytics/export/<slug:kind>", views.export, name="analytics-export"),
]
