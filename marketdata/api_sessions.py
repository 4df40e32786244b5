"""Watching from a program: a chain session keeps its strikes ticking and computed, as a page does. And candles."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.tokens.auth import person
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.api.doors import Asked, Door, Nothing, command, found
from marketdata import api_shapes as shapes
from marketdata import candles, selectors, viewing
from marketdata.domain.candles import TIMEFRAMES
from marketdata.models import ViewingSession

# Each keeps up to a hundred symbols subscribed at the broker.
MOST_SESSIONS = 10


class SessionAsked(Asked):
    underlying = serializers.CharField(max_length=20)
    expiry = serializers.DateField()
    width = serializers.IntegerField(min_value=1, max_value=viewing.MAX_WIDTH, default=20)


class ChainSessions(Door):
    writes: ClassVar[str] = "read"  # it changes what we watch, and nothing else

    @extend_schema(responses=shapes.ChainSession(many=True))
    def get(self, request: Request) -> Response:
        """Your chain sessions, those of your open pages among them."""
        return Response(shapes.ChainSession(viewing.chains_of(person(request).pk), many=True).data)

    @extend_schema(request=SessionAsked, responses=shapes.ChainSession)
    @command
    def post(self, request: Request) -> Response:
        """Watch a chain for five minutes; a heartbeat makes it five again."""
        asked, user_id = self.body(SessionAsked), person(request).pk
        symbol = selectors.underlying(asked["underlying"]).symbol
        if asked["expiry"] not in selectors.expiries(symbol, "OPT", clock.now()):
            raise Refused(f"{symbol} has no such expiry.", fields={"expiry": "not listed"})
        if viewing.chains_of(user_id).count() >= MOST_SESSIONS:
            raise Refused(f"At most {MOST_SESSIONS} chain sessions at a time; end one.", fields={"underlying": "too many"})
        topic = viewing.ChainTopic(symbol, asked["expiry"], asked["width"]).text
        return Response(shapes.ChainSession(viewing.open_chain(user_id, topic)).data, status=201)


def _mine(request: Request, key: str) -> ViewingSession:
    return found(viewing.chains_of(person(request).pk), key=key)


class ChainSession(Door):
    writes: ClassVar[str] = "read"

    @extend_schema(request=None, responses=shapes.ChainSession)
    @command
    def delete(self, request: Request, key: str) -> Response:
        """Watch it no longer."""
        session = _mine(request, key)
        ended = shapes.ChainSession(session).data
        viewing.close([key])
        return Response(ended)


class ChainHeartbeat(Door):
    writes: ClassVar[str] = "read"

    @extend_schema(request=Nothing, responses=shapes.ChainSession)
    @command
    def post(self, request: Request, key: str) -> Response:
        """Five minutes more, around the strike that is at the money now."""
        self.body(Nothing)
        session = _mine(request, key)
        chain = viewing.parse_chain(session.topic)
        at = viewing.centre(chain.underlying, chain.expiry)
        if at is None:
            viewing.heartbeat([key])
        else:
            viewing.recentre(key, chain, at)
        return Response(shapes.ChainSession(_mine(request, key)).data)


class CandlesAsked(Asked):
    symbol = serializers.CharField(max_length=80, help_text="EXCHANGE:SYMBOL")
    timeframe = serializers.ChoiceField(choices=[str(minutes) for minutes in TIMEFRAMES], default="5")
    days = serializers.IntegerField(min_value=1, max_value=candles.MOST_DAYS, default=1)


class Candles(Door):
    @extend_schema(parameters=[CandlesAsked], responses=shapes.Candles)
    def get(self, request: Request) -> Response:
        """Candles counted from the session's open, each with where it comes from and how much of it was watched."""
        asked: dict[str, Any] = self.params(CandlesAsked)
        exchange, _, symbol = asked["symbol"].partition(":")
        if selectors.instrument(exchange, symbol) is None:
            raise Refused(f"{asked['symbol']} is not in the instrument list.", fields={"symbol": "unknown"})
        minutes = int(asked["timeframe"])
        rows = candles.series(asked["symbol"], minutes, asked["days"], clock.now())
        return Response(shapes.Candles({"key": asked["symbol"], "timeframe": minutes, "candles": rows}).data)
