"""What the signals cluster does for risk. It imports the compiled kernel once, before it takes work."""

from __future__ import annotations

from algomirror.kernel import clock
from risk.services import supertrend
from risk.signals import kernel

kernel.warm_up()


def look() -> None:
    supertrend.look(clock.now(), compute=kernel.batch)
