from django.urls import path

from risk import views

urlpatterns = [
    path("risk", views.risk, name="risk"),
    path("risk/monitor", views.monitor, name="risk-monitor"),
    path("risk/kill", views.kill, name="risk-kill"),
    path("risk/release", views.release, name="risk-release"),
]
