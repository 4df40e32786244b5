from django.urls import path

from risk import api, api_limits, api_pauses, api_reference, api_signals

urlpatterns = [
    path("risk/status", api.Status.as_view(), name="api-risk-status"),
    path("risk/events", api.Events.as_view(), name="api-risk-events"),
    path("risk/limits", api_limits.LimitsDoor.as_view(), name="api-risk-limits"),
    path("risk/ceilings", api_limits.Ceilings.as_view(), name="api-risk-ceilings"),
    path("risk/kill", api.Kill.as_view(), name="api-risk-kill"),
    path("risk/release", api.Release.as_view(), name="api-risk-release"),
    path("reference/charges", api_reference.ChargesDoor.as_view(), name="api-reference-charges"),
    path("runs/<int:pk>/combined", api_signals.Combined.as_view(), name="api-run-combined"),
    path("runs/<int:pk>/guards/<int:guard>/pause", api_pauses.Pause.as_view(), name="api-guard-pause"),
    path("accounts/<int:pk>/state", api.AccountState.as_view(), name="api-account-state"),
    path("accounts/<int:pk>/flatten", api.AccountFlatten.as_view(), name="api-account-flatten"),
]
