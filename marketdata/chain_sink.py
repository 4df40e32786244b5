"""Computes every watched chain once a second, for all its browsers together. Runs beside the feed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import date
from threading import Event, Thread

from django.db import close_old_connections, connection

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.push import push
from marketdata import chain_figures, quotes, viewing
from marketdata.chain_figures import Values

log = logging.getLogger(__name__)

EVERY_S = 1.0
# A page that was rendered between two turns may have missed a change.
WHOLE_EVERY_TURNS = 5

Viewed = tuple[tuple[str, frozenset[str]], ...]


class ChainSink(Thread):
    def __init__(self, may_act: Callable[[], bool], viewed: Callable[[], Viewed]) -> None:
        super().__init__(name="chains", daemon=True)
        self._may_act = may_act
        self._viewed = viewed
        self._halt = Event()
        self._told: dict[str, Values] = {}
        self._turns = 0
        self._day: date | None = None
        self._first: dict[str, int] = {}

    def stop(self) -> None:
        self._halt.set()

    def run(self) -> None:
        with closing(connection):
            while not self._halt.wait(EVERY_S):
                try:
                    if self._may_act():
                        self.turn()
                except Exception:
                    log.exception("chain sink failed")
                close_old_connections()

    def turn(self) -> None:
        now, viewed = clock.now(), [(topic, keys) for topic, keys in self._viewed() if topic.startswith("chain:")]
        day = clock.trading_day(now)
        if day != self._day:
            self._day, self._first = day, {}
        self._turns += 1
        self._told = {topic: told for topic, told in self._told.items() if any(topic == watched for watched, _ in viewed)}
        for topic, keys in viewed:
            try:
                chain = viewing.parse_chain(topic)
            except Refused:
                continue
            known = quotes.get(keys)
            chain_figures.note_interest(known, day, self._first)
            self._tell(topic, chain_figures.compute(chain, keys, known, self._first, now))

    def _tell(self, topic: str, values: Values) -> None:
        before = {} if self._turns % WHOLE_EVERY_TURNS == 0 else self._told.get(topic, {})
        self._told[topic] = values
        chain_figures.keep(topic, values)
        if changed := {key: value for key, value in values.items() if key not in before or before[key] != value}:
            push(topic, "values", v=changed)
