from django.urls import path

from marketdata import api, api_feeds, api_reference, api_sessions

urlpatterns = [
    path("market/status", api.MarketStatus.as_view(), name="api-market-status"),
    path("market/calendar", api.Calendar.as_view(), name="api-market-calendar"),
    path("market/underlyings", api.Underlyings.as_view(), name="api-underlyings"),
    path("market/expiries", api.Expiries.as_view(), name="api-expiries"),
    path("market/instruments", api.Instruments.as_view(), name="api-instruments"),
    path("market/quotes", api.Quotes.as_view(), name="api-quotes"),
    path("market/chain", api.Chain.as_view(), name="api-chain"),
    path("market/candles", api_sessions.Candles.as_view(), name="api-candles"),
    path("chain-sessions", api_sessions.ChainSessions.as_view(), name="api-chain-sessions"),
    path("chain-sessions/<slug:key>", api_sessions.ChainSession.as_view(), name="api-chain-session"),
    path("chain-sessions/<slug:key>/heartbeat", api_sessions.ChainHeartbeat.as_view(), name="api-chain-heartbeat"),
    path("feeds/switch", api_feeds.FeedSwitch.as_view(), name="api-feeds-switch"),
    path("reference/calendar/holidays", api_reference.Holidays.as_view(), name="api-reference-holidays"),
    path("reference/calendar/special-sessions", api_reference.SpecialSessions.as_view(), name="api-reference-special"),
    path("reference/calendar/hours", api_reference.Hours.as_view(), name="api-reference-hours"),
    path("reference/calendar/cutoffs", api_reference.Cutoffs.as_view(), name="api-reference-cutoffs"),
    path("reference/calendar/retire", api_reference.Retire.as_view(), name="api-reference-retire"),
    path("reference/terms", api_reference.Terms.as_view(), name="api-reference-terms"),
    path("reference/disputes", api_reference.Disputes.as_view(), name="api-reference-disputes"),
    path("reference/disputes/<int:pk>/accept", api_reference.Accept.as_view(), name="api-reference-accept"),
    path("reference/disputes/<int:pk>/override", api_reference.Override.as_view(), name="api-reference-override"),
    path("reference/disputes/<int:pk>/restore", api_reference.Restore.as_view(), name="api-reference-restore"),
    path("failovers", api_feeds.FailoversDoor.as_view(), name="api-failovers"),
]
