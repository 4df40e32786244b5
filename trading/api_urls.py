from django.urls import path

from trading import api, api_outside, api_reconciliation

urlpatterns = [
    path("orders", api.Orders.as_view(), name="api-orders"),
    path("orders/cancel-all", api.CancelAll.as_view(), name="api-cancel-all"),
    path("orders/<int:pk>", api.OrderOne.as_view(), name="api-order"),
    path("orders/<int:pk>/cancel", api.OrderCancel.as_view(), name="api-order-cancel"),
    path("orders/<int:pk>/modify", api.OrderModify.as_view(), name="api-order-modify"),
    path("orders/<int:pk>/convert", api.OrderConvert.as_view(), name="api-order-convert"),
    path("orders/cancel", api.CancelMany.as_view(), name="api-orders-cancel"),
    path("orders/modify", api.ModifyMany.as_view(), name="api-orders-modify"),
    path("orders/convert", api.ConvertMany.as_view(), name="api-orders-convert"),
    path("trades", api.Trades.as_view(), name="api-trades"),
    path("positions", api.Positions.as_view(), name="api-positions"),
    path("positions/<int:pk>/close", api.PositionClose.as_view(), name="api-position-close"),
    path("positions/close-all", api.CloseAll.as_view(), name="api-close-all"),
    path("books/<int:pk>/close", api.BookClose.as_view(), name="api-book-close"),
    path("accounts/<int:pk>/close", api.AccountClose.as_view(), name="api-account-close"),
    path("goals", api.Goals.as_view(), name="api-goals"),
    path("reconciliation", api.Reconciliation.as_view(), name="api-reconciliation"),
    path("reconciliation/items", api_reconciliation.Items.as_view(), name="api-reconciliation-items"),
    path("reconciliation/run", api_reconciliation.Run.as_view(), name="api-reconciliation-run"),
    path("reconciliation/resolve", api_outside.Resolve.as_view(), name="api-reconciliation-resolve"),
    path("accounts/<int:pk>/refresh", api.AccountRefresh.as_view(), name="api-account-refresh"),
    path("accounts/<int:pk>/pnl", api.AccountPnl.as_view(), name="api-account-pnl"),
]
