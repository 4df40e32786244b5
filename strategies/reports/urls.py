from django.urls import path

from strategies.reports import views

urlpatterns = [
    path("reports", views.day, name="reports"),
    path("reports/file/<slug:kind>", views.day_file, name="reports-file"),
    path("reports/tax-year", views.tax_year, name="reports-tax-year"),
    path("reports/tax-year/file/<slug:kind>", views.tax_year_file, name="reports-tax-year-file"),
    path("reports/note", views.note, name="reports-note"),
]
