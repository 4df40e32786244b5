from django.urls import path

from trading.views import changes, exports, holdings, orders, positions, reconciliation

urlpatterns = [
    path("orders", orders.orders, name="orders"),
    path("orders/rows", orders.rows, name="orders-rows"),
    path("orders/working", orders.working, name="orders-working"),
    path("orders/cancel", orders.cancel, name="orders-cancel"),
    path("orders/cancel-all", changes.cancel_all, name="orders-cancel-all"),
    path("orders/modify", changes.modify, name="orders-modify"),
    path("orders/market", changes.to_market, name="orders-market"),
    path("orders/sync", orders.sync, name="orders-sync"),
    path("trades", orders.trades, name="trades"),
    path("trades/rows", orders.trade_rows, name="trades-rows"),
    path("positions", positions.positions, name="positions"),
    path("positions/rows", positions.rows, name="positions-rows"),
    path("positions/close", positions.close, name="positions-close"),
    path("orders.csv", exports.orders, name="orders-csv"),
    path("trades.csv", exports.trades, name="trades-csv"),
    path("positions.csv", exports.positions, name="positions-csv"),
    path("reconciliation", reconciliation.reconciliation, name="reconciliation"),
    path("reconciliation/rows", reconciliation.rows, name="reconciliation-rows"),
    path("reconciliation/item", reconciliation.item, name="reconciliation-item"),
    path("reconciliation/adopt", reconciliation.adopt, name="reconciliation-adopt"),
    path("reconciliation/close", reconciliation.close, name="reconciliation-close"),
    path("reconciliation/leave", reconciliation.leave, name="reconciliation-leave"),
    path("reconciliation/thaw", reconciliation.thaw, name="reconciliation-thaw"),
    path("reconciliation/order", reconciliation.order, name="reconciliation-order"),
    path("holdings", holdings.holdings, name="holdings"),
    path("holdings/rows", holdings.rows, name="holdings-rows"),
    path("holdings/refresh", holdings.refresh, name="holdings-refresh"),
]
