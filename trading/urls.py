from django.urls import path

from trading.views import orders, positions

urlpatterns = [
    path("orders", orders.orders, name="orders"),
    path("orders/rows", orders.rows, name="orders-rows"),
    path("orders/cancel", orders.cancel, name="orders-cancel"),
    path("orders/sync", orders.sync, name="orders-sync"),
    path("trades", orders.trades, name="trades"),
    path("trades/rows", orders.trade_rows, name="trades-rows"),
    path("positions", positions.positions, name="positions"),
    path("positions/rows", positions.rows, name="positions-rows"),
    path("positions/close", positions.close, name="positions-close"),
]
