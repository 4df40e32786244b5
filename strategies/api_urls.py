from django.urls import path

from strategies import api, api_runs

urlpatterns = [
    path("strategies", api.Strategies.as_view(), name="api-strategies"),
    path("strategies/<int:pk>", api.StrategyOne.as_view(), name="api-strategy"),
    path("strategies/<int:pk>/versions", api.Versions.as_view(), name="api-strategy-versions"),
    path("strategies/<int:pk>/runs", api.StrategyRuns.as_view(), name="api-strategy-runs"),
    path("strategies/<int:pk>/copy", api.StrategyCopy.as_view(), name="api-strategy-copy"),
    path("strategies/<int:pk>/archive", api.StrategyArchive.as_view(), name="api-strategy-archive"),
    path("strategies/<int:pk>/entries", api.StrategyEntries.as_view(), name="api-strategy-entries"),
    path("strategies/<int:pk>/preview", api.StrategyPreview.as_view(), name="api-strategy-preview"),
    path("plans/<slug:key>", api.PlanOne.as_view(), name="api-plan"),
    path("ticket/preview", api.TicketPreview.as_view(), name="api-ticket-preview"),
    path("ticket/send", api.TicketSend.as_view(), name="api-ticket-send"),
    path("runs", api_runs.Runs.as_view(), name="api-runs"),
    path("runs/<int:pk>", api_runs.RunOne.as_view(), name="api-run"),
    path("runs/<int:pk>/orders", api_runs.RunOrders.as_view(), name="api-run-orders"),
    path("runs/<int:pk>/fills", api_runs.RunFills.as_view(), name="api-run-fills"),
    path("runs/<int:pk>/positions", api_runs.RunPositions.as_view(), name="api-run-positions"),
    path("runs/<int:pk>/risk", api_runs.RunRisk.as_view(), name="api-run-risk"),
    path("runs/<int:pk>/events", api_runs.RunEvents.as_view(), name="api-run-events"),
    path("runs/<int:pk>/exit", api_runs.RunExit.as_view(), name="api-run-exit"),
    path("runs/<int:pk>/limits", api_runs.RunLimitsDoor.as_view(), name="api-run-limits"),
]
