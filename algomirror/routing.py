"""One socket per browser tab."""

from __future__ import annotations

from typing import Any

from django.urls import path

from marketdata.consumers import LiveConsumer

websocket_urlpatterns: list[Any] = [path("ws", LiveConsumer.as_asgi())]
