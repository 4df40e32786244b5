from django.urls import path

from algomirror.frame import alert_settings, settings_index, views
from algomirror.frame.activity import views as activity
from algomirror.frame.readiness import views as readiness

urlpatterns = [
    path("dashboard", views.dashboard, name="dashboard"),
    path("dashboard/body", views.dashboard_body, name="dashboard-body"),
    path("dashboard/pnl.json", views.dashboard_pnl, name="dashboard-pnl"),
    path("frame/status", views.status, name="frame-status"),
    path("alerts", views.alerts, name="alerts"),
    path("alerts/rows", views.alert_rows, name="alerts-rows"),
    path("alerts/tray", views.tray, name="alerts-tray"),
    path("alerts/<int:alarm_id>/ack", views.acknowledge, name="alerts-ack"),
    path("alerts/<int:alarm_id>/snooze", views.snooze, name="alerts-snooze"),
    path("alerts/settings", alert_settings.page, name="alerts-settings"),
    path("alerts/rules", alert_settings.rules, name="alerts-rules"),
    path("alerts/channels/<int:pk>/test", alert_settings.test, name="alerts-channel-test"),
    path("alerts/channels/<int:pk>/switch", alert_settings.switch, name="alerts-channel-switch"),
    path("alerts/channels/<int:pk>/remove", alert_settings.remove, name="alerts-channel-remove"),
    path("settings", settings_index.index, name="settings"),
    path("gallery", views.gallery, name="gallery"),
    path("readiness", readiness.readiness, name="readiness"),
    path("readiness/parts", readiness.parts, name="readiness-parts"),
    path("readiness/run", readiness.run_now, name="readiness-run"),
    path("activity", activity.activity, name="activity"),
    path("activity/rows", activity.rows, name="activity-rows"),
    path("activity.csv", activity.export, name="activity-csv"),
    path("activity/verify", activity.verify, name="activity-verify"),
]
