from django.urls import path

from algomirror.frame import api

urlpatterns = [
    path("dashboard", api.Dashboard.as_view(), name="api-dashboard"),
    path("alerts", api.Alerts.as_view(), name="api-alerts"),
    path("alerts/<int:pk>/ack", api.AlertAck.as_view(), name="api-alert-ack"),
    path("alerts/<int:pk>/snooze", api.AlertSnooze.as_view(), name="api-alert-snooze"),
    path("journal", api.JournalRows.as_view(), name="api-journal"),
    path("commands/<slug:public_id>", api.CommandOne.as_view(), name="api-command"),
    path("settings", api.Settings.as_view(), name="api-settings"),
    path("feeds", api.Feed.as_view(), name="api-feeds"),
]
