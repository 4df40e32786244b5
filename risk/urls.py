from django.urls import path

from risk import views, views_accounts, views_limits, views_signals

urlpatterns = [
    path("risk", views.risk, name="risk"),
    path("risk/monitor", views.monitor, name="risk-monitor"),
    path("risk/kill", views.kill, name="risk-kill"),
    path("risk/release", views.release, name="risk-release"),
    path("account-positions", views_accounts.account_positions, name="account-positions"),
    path("account-positions/rows", views_accounts.rows, name="account-positions-rows"),
    path("risk/limits", views_limits.limits, name="risk-limits"),
    path("risk/limits/used", views_limits.limits_body, name="risk-limits-used"),
    path("risk/limits/<int:scope>", views_limits.set_account_limits, name="risk-limits-account"),
    path("risk/limits/group/<int:scope>", views_limits.set_group_limits, name="risk-limits-group"),
    path("risk/limits/platform", views_limits.set_platform_limits, name="risk-limits-platform"),
    path("risk/locks/<int:pk>/release", views_limits.unlock, name="risk-unlock"),
    path("runs/<int:pk>/combined.json", views_signals.combined, name="run-combined"),
    path("risk/events", views_limits.events, name="risk-events"),
    path("risk/events.csv", views_limits.events_csv, name="risk-events-csv"),
]
