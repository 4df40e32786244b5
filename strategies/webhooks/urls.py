from django.urls import path

from strategies.webhooks import door, views

urlpatterns = [
    path("hooks/<slug:public_id>", door.hook, name="hook"),
    path("webhooks", views.webhooks, name="webhooks"),
    path("webhooks/new", views.new, name="webhook-new"),
    path("webhooks/<int:pk>", views.webhook, name="webhook"),
    path("webhooks/<int:pk>/signals", views.signals, name="webhook-signals"),
    path("webhooks/<int:pk>/rotate", views.rotate, name="webhook-rotate"),
    path("webhooks/<int:pk>/test", views.console, name="webhook-test"),
]
