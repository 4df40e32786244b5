from django.urls import URLPattern, path

from marketdata import views

urlpatterns: list[URLPattern] = [
    path("chain", views.chain, name="chain"),
    path("chain/table", views.chain_table, name="chain_table"),
    path("chain/import", views.import_now, name="chain_import"),
]
