from django.urls import path

from strategies import api, api_groups, api_margin, api_runs
from strategies.analytics import api as reports
from strategies.webhooks import api as hooks

urlpatterns = [
    path("strategies", api.Strategies.as_view(), name="api-strategies"),
    path("strategies/<int:pk>", api.StrategyOne.as_view(), name="api-strategy"),
    path("strategies/<int:pk>/versions", api.Versions.as_view(), name="api-strategy-versions"),
    path("strategies/<int:pk>/runs", api.StrategyRuns.as_view(), name="api-strategy-runs"),
    path("strategies/<int:pk>/copy", api.StrategyCopy.as_view(), name="api-strategy-copy"),
    path("strategies/<int:pk>/archive", api.StrategyArchive.as_view(), name="api-strategy-archive"),
    path("strategies/<int:pk>/entries", api.StrategyEntries.as_view(), name="api-strategy-entries"),
    path("strategies/<int:pk>/preview", api.StrategyPreview.as_view(), name="api-strategy-preview"),
    path("groups", api_groups.Groups.as_view(), name="api-groups"),
    path("webhooks", hooks.Webhooks.as_view(), name="api-webhooks"),
    path("webhooks/<int:pk>", hooks.WebhookOne.as_view(), name="api-webhook"),
    path("webhooks/<int:pk>/rotate", hooks.WebhookRotate.as_view(), name="api-webhook-rotate"),
    path("webhooks/<int:pk>/signals", hooks.Signals.as_view(), name="api-webhook-signals"),
    path("plans/<slug:key>", api.PlanOne.as_view(), name="api-plan"),
    path("ticket/preview", api.TicketPreview.as_view(), name="api-ticket-preview"),
    path("ticket/send", api.TicketSend.as_view(), name="api-ticket-send"),
    path("margin/accounts", api_margin.MarginAccounts.as_view(), name="api-margin-accounts"),
    path("margin/tracker", api_margin.MarginTracker.as_view(), name="api-margin-tracker"),
    path("margin/requirements", api_margin.MarginFigures.as_view(), name="api-margin-requirements"),
    path("margin/grades", api_margin.Grades.as_view(), name="api-margin-grades"),
    path("margin/grades/<int:pk>", api_margin.GradeOne.as_view(), name="api-margin-grade"),
    path("margin/calculate", api_margin.Calculate.as_view(), name="api-margin-calculate"),
    path("reports/pnl", reports.ReportPnl.as_view(), name="api-report-pnl"),
    path("reports/equity", reports.ReportEquity.as_view(), name="api-report-equity"),
    path("reports/execution", reports.ReportExecution.as_view(), name="api-report-execution"),
    path("reports/charges", reports.ReportCharges.as_view(), name="api-report-charges"),
    path("runs", api_runs.Runs.as_view(), name="api-runs"),
    path("runs/<int:pk>", api_runs.RunOne.as_view(), name="api-run"),
    path("runs/<int:pk>/orders", api_runs.RunOrders.as_view(), name="api-run-orders"),
    path("runs/<int:pk>/fills", api_runs.RunFills.as_view(), name="api-run-fills"),
    path("runs/<int:pk>/positions", api_runs.RunPositions.as_view(), name="api-run-positions"),
    path("runs/<int:pk>/risk", api_runs.RunRisk.as_view(), name="api-run-risk"),
    path("runs/<int:pk>/events", api_runs.RunEvents.as_view(), name="api-run-events"),
    path("runs/<int:pk>/stop-entries", api_runs.RunStopEntries.as_view(), name="api-run-stop-entries"),
    path("runs/<int:pk>/exit", api_runs.RunExit.as_view(), name="api-run-exit"),
    path("runs/<int:pk>/limits", api_runs.RunLimitsDoor.as_view(), name="api-run-limits"),
]
