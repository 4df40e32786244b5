from django.urls import path

from algomirror.frame import api, api_house

urlpatterns = [
    path("dashboard", api.Dashboard.as_view(), name="api-dashboard"),
    path("alerts", api.Alerts.as_view(), name="api-alerts"),
    path("alerts/<int:pk>/ack", api.AlertAck.as_view(), name="api-alert-ack"),
    path("alerts/<int:pk>/snooze", api.AlertSnooze.as_view(), name="api-alert-snooze"),
    path("journal", api.JournalRows.as_view(), name="api-journal"),
    path("audit", api.JournalRows.as_view(), name="api-audit"),
    path("audit/verify", api_house.AuditVerify.as_view(), name="api-audit-verify"),
    path("readiness", api_house.Readiness.as_view(), name="api-readiness"),
    path("readiness/run", api_house.ReadinessRun.as_view(), name="api-readiness-run"),
    path("alert-channels", api_house.AlertChannels.as_view(), name="api-alert-channels"),
    path("alert-channels/<int:pk>/test", api_house.AlertChannelTest.as_view(), name="api-alert-channel-test"),
    path("alert-rules", api_house.AlertRules.as_view(), name="api-alert-rules"),
    path("commands/<slug:public_id>", api.CommandOne.as_view(), name="api-command"),
    path("settings", api.Settings.as_view(), name="api-settings"),
    path("feeds", api.Feed.as_view(), name="api-feeds"),
]
