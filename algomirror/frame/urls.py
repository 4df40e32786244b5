from django.urls import path

from algomirror.frame import views

urlpatterns = [
    path("dashboard", views.dashboard, name="dashboard"),
    path("dashboard/body", views.dashboard_body, name="dashboard-body"),
    path("frame/status", views.status, name="frame-status"),
    path("alerts", views.alerts, name="alerts"),
    path("alerts/rows", views.alert_rows, name="alerts-rows"),
    path("alerts/tray", views.tray, name="alerts-tray"),
    path("alerts/<int:alarm_id>/ack", views.acknowledge, name="alerts-ack"),
    path("gallery", views.gallery, name="gallery"),
]
