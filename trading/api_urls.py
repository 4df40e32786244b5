from django.urls import path

from trading import api

urlpatterns = [
    path("orders", api.Orders.as_view(), name="api-orders"),
    path("orders/cancel-all", api.CancelAll.as_view(), name="api-cancel-all"),
    path("orders/<int:pk>", api.OrderOne.as_view(), name="api-order"),
    path("orders/<int:pk>/cancel", api.OrderCancel.as_view(), name="api-order-cancel"),
    path("trades", api.Trades.as_view(), name="api-trades"),
    path("positions", api.Positions.as_view(), name="api-positions"),
    path("positions/<int:pk>/close", api.PositionClose.as_view(), name="api-position-close"),
    path("goals", api.Goals.as_view(), name="api-goals"),
    path("reconciliation", api.Reconciliation.as_view(), name="api-reconciliation"),
    path("accounts/<int:pk>/refresh", api.AccountRefresh.as_view(), name="api-account-refresh"),
    path("accounts/<int:pk>/pnl", api.AccountPnl.as_view(), name="api-account-pnl"),
]
