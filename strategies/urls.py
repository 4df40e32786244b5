from django.urls import path

from strategies.views import runs, strategies, ticket

urlpatterns = [
    path("strategies", strategies.strategies, name="strategies"),
    path("strategies/new", strategies.new, name="strategy-new"),
    path("strategies/new/from-basket", strategies.from_basket, name="strategy-from-basket"),
    path("strategies/legs", strategies.legs, name="strategy-legs"),
    path("strategies/draft", strategies.draft_preview, name="strategy-draft"),
    path("strategies/<int:pk>", strategies.edit, name="strategy"),
    path("strategies/<int:pk>/edit", strategies.edit, name="strategy-edit"),
    path("strategies/<int:pk>/preview", strategies.preview, name="strategy-preview"),
    path("strategies/<int:pk>/copy", strategies.copy, name="strategy-copy"),
    path("strategies/<int:pk>/archive", strategies.archive, name="strategy-archive"),
    path("strategies/<int:pk>/entries", strategies.entries, name="strategy-entries"),
    path("runs", runs.runs, name="runs"),
    path("runs/rows", runs.rows, name="runs-rows"),
    path("runs/start", runs.start, name="run-start"),
    path("runs/<int:pk>", runs.run, name="run"),
    path("runs/<int:pk>/body", runs.run_body, name="run-body"),
    path("runs/<int:pk>/exit", runs.leave, name="run-exit"),
    path("runs/<int:pk>/accounts/<int:account_id>/exit", runs.leave, name="run-exit-account"),
    path("runs/<int:pk>/limits", runs.limits, name="run-limits"),
    path("ticket", ticket.ticket, name="ticket"),
    path("ticket/contract", ticket.contract, name="ticket-contract"),
    path("ticket/preview", ticket.preview, name="ticket-preview"),
    path("ticket/send", ticket.send, name="ticket-send"),
]
