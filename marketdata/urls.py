from django.urls import URLPattern, path

from marketdata import views, views_calendar, views_charts, views_feeds, views_instruments, views_terms_file

urlpatterns: list[URLPattern] = [
    path("chain", views.chain, name="chain"),
    path("chain/table", views.chain_table, name="chain_table"),
    path("chain/import", views.import_now, name="chain_import"),
    path("settings/feeds", views_feeds.feeds_page, name="feeds"),
    path("settings/feeds/parts", views_feeds.feeds_parts, name="feeds_parts"),
    path("settings/feeds/choose", views_feeds.feeds_choose, name="feeds_choose"),
    path("chain/columns", views.choose_columns, name="chain_columns"),
    path("charts", views_charts.page, name="charts"),
    path("charts/candles.json", views_charts.candles, name="chart_candles"),
    path("settings/calendar", views_calendar.page, name="calendar"),
    path("settings/calendar/put/<str:kind>", views_calendar.put, name="calendar_put"),
    path("settings/calendar/retire", views_calendar.retire, name="calendar_retire"),
    path("settings/calendar/export.csv", views_calendar.export, name="calendar_export"),
    path("settings/calendar/file", views_calendar.import_file, name="calendar_file"),
    path("settings/calendar/server", views_calendar.import_server, name="calendar_server"),
    path("settings/calendar/proposals/<int:proposal_id>", views_calendar.proposal, name="calendar_proposal"),
    path("settings/calendar/proposals/<int:proposal_id>/approve", views_calendar.approve, name="calendar_approve"),
    path("settings/calendar/proposals/<int:proposal_id>/discard", views_calendar.discard, name="calendar_discard"),
    path("settings/instruments", views_instruments.page, name="instruments"),
    path("settings/instruments/progress", views_instruments.progress, name="instruments_progress"),
    path("settings/instruments/import", views_instruments.import_now, name="instruments_import"),
    path("settings/instruments/terms", views_instruments.add_terms, name="terms_add"),
    path("settings/instruments/file", views_terms_file.upload, name="terms_file"),
    path("settings/instruments/file/approve", views_terms_file.approve, name="terms_file_approve"),
    path("settings/instruments/freeze", views_instruments.add_freeze, name="freeze_add"),
    path("settings/instruments/disputes/<int:dispute_id>/accept", views_instruments.accept, name="terms_accept"),
    path("settings/instruments/disputes/<int:dispute_id>/override", views_instruments.override, name="terms_override"),
    path("settings/instruments/disputes/<int:dispute_id>/restore", views_instruments.restore, name="terms_restore"),
]
