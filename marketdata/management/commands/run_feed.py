from __future__ import annotations

import gc
import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from marketdata.feed.runner import Runner


class Command(BaseCommand):
    help = "Stream prices of the primary account and order hints of every account. One works, others stand by."
    # The checks import every page; `up` runs them once for all processes.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        # What was loaded at the start stays for ever; searching it for garbage would halt every tick meanwhile.
        gc.freeze()
        runner = Runner()

        def stop(signum: int, frame: FrameType | None) -> None:
            runner.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        runner.run()
