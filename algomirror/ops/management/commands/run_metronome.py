from __future__ import annotations

import signal
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from algomirror.ops.metronome import Metronome


class Command(BaseCommand):
    help = "Give every room its beat; one process at a time does, the others stand by."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Metronome(settings.BEATS).run(stop)
