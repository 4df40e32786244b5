"""The board of misfortunes: what goes wrong, for whom, how often."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from simulator.clock import SimClock

PLACEMENTS = frozenset({"placeorder", "placesmartorder", "basketorder", "splitorder", "optionsorder", "optionsmultiorder"})
BOOKS = frozenset({"orderbook", "tradebook", "positionbook", "holdings"})
QUOTES = frozenset({"quotes", "multiquotes", "depth", "optionchain", "stream"})
ANY: frozenset[str] = frozenset()
GROUPS: dict[str, frozenset[str]] = {
    "*": ANY,
    "orders": PLACEMENTS | {"modifyorder", "cancelorder", "cancelallorder", "closeposition"},
    "placements": PLACEMENTS,
    "books": BOOKS,
    "quotes": QUOTES,
}
STREAM = frozenset({"stream"})


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a fault strikes unless told otherwise, its parameters with defaults, and if it is a lasting condition."""

    endpoints: frozenset[str] = ANY
    params: Mapping[str, Any] = field(default_factory=dict)
    lasting: bool = False


KINDS: dict[str, Kind] = {
    "timeout_after_accept": Kind(PLACEMENTS),
    "timeout_before_accept": Kind(PLACEMENTS),
    "lost_reply": Kind(PLACEMENTS),
    "drop_before": Kind(),
    "http_5xx": Kind(ANY, {"status": 500, "accepted": False}),
    "html_502": Kind(ANY, {"accepted": False}),
    "broken_body": Kind(),
    "refuse": Kind(PLACEMENTS, {"message": "RMS:Blocked by the broker", "status": 400}),
    "reject_later": Kind(PLACEMENTS, {"after_s": 0.5, "reason": "RMS:Margin Exceeds, rejected by the exchange"}),
    "modify_ignored": Kind(frozenset({"modifyorder"})),
    "modify_renames": Kind(frozenset({"modifyorder"})),
    "no_order_id": Kind(PLACEMENTS, {"null": False}),
    "semi_auto_queue": Kind(PLACEMENTS),
    "rate_limited": Kind(),
    "late_visibility": Kind(PLACEMENTS, {"seconds": 3.0}),
    "missing_trades": Kind(frozenset({"tradebook"}), {"reads": 0}),
    "partial_fill": Kind(PLACEMENTS, {"fraction": 0.5, "seconds": None}),
    "slow_fill": Kind(PLACEMENTS, {"seconds": 3.0}),
    "late_order_update": Kind(STREAM, {"seconds": 2.0}),
    "duplicate_order_update": Kind(STREAM),
    "reordered_order_update": Kind(STREAM),
    "lost_order_update": Kind(STREAM),
    "silent_socket": Kind(STREAM, {}, lasting=True),
    "drop_socket": Kind(STREAM, {"code": 1006}),
    "relogin_drop": Kind(STREAM),
    "mute_symbol": Kind(STREAM, {}, lasting=True),
    "drop_symbol": Kind(STREAM),
    "frozen_ticks": Kind(STREAM, {}, lasting=True),
    "zero_price": Kind(QUOTES),
    "nan_price": Kind(QUOTES),
    "price_spike": Kind(QUOTES, {"percent": 50.0}),
    "stale_quotes": Kind(QUOTES - STREAM, {}, lasting=True),
    "token_expired": Kind(ANY, {}, lasting=True),
    "empty_funds": Kind(frozenset({"funds"})),
    "books_fail": Kind(BOOKS, {"book": None, "message": "Failed to fetch the book from the broker"}),
    "books_partial": Kind(BOOKS, {"book": None, "drop": 1}),
    "books_empty": Kind(BOOKS, {"book": None}),
    "neighbour_status": Kind(frozenset({"orderbook"})),
    "mode_flip": Kind(PLACEMENTS),
    "clock_skew": Kind(ANY, {"seconds": 30.0}, lasting=True),
    "wrong_number_types": Kind(),
}


class BadFault(ValueError):
    """A fault that cannot be added; `where` names the field."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(why)
        self.where = where


@dataclass(slots=True)
class Fault:
    """`account` None means all; `count` None means until removed; `until` ends it in simulated time."""

    id: int
    kind: str
    account: int | None
    endpoints: frozenset[str]
    symbol: str | None
    count: int | None
    probability: float
    params: dict[str, Any]
    until: datetime | None = None
    hits: int = 0

    @property
    def spent(self) -> bool:
        return self.count is not None and self.hits >= self.count

    def covers(self, account: int, endpoint: str, symbol: str) -> bool:
        return (
            self.account in (None, account)
            and (not self.endpoints or endpoint in self.endpoints)
            and (self.symbol is None or self.symbol == symbol)
        )

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "account": "all" if self.account is None else self.account,
            "endpoint": sorted(self.endpoints) or "*",
            "symbol": self.symbol,
            "count": self.count,
            "probability": self.probability,
            "params": self.params,
            "hits": self.hits,
            "spent": self.spent,
            "until": None if self.until is None else self.until.isoformat(),
        }


class FaultBoard:
    """All faults of one world. Chance is seeded: equal seeds and calls give equal luck."""

    def __init__(self, clock: SimClock, seed: int, accounts: int, endpoints: Iterable[str]) -> None:
        self._clock = clock
        self._accounts = accounts
        self._known = frozenset(endpoints) | STREAM
        self._rng = random.Random(f"faults:{seed}")
        self._faults: dict[int, Fault] = {}
        self._next = 1

    def add(
        self,
        kind: str,
        *,
        account: int | Literal["all"] = "all",
        endpoint: str | Iterable[str] | None = None,
        symbol: str | None = None,
        count: int | Literal["default"] | None = "default",
        probability: float = 1.0,
        for_s: float | None = None,
        params: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Fault:
        """Arm a fault; its parameters come as `params` or as keywords.

        `count` defaults to 1, to "until removed" for lasting conditions; `for_s` ends it by time.
        Raises BadFault.
        """
        spec = KINDS.get(kind)
        params = {**(params or {}), **more}
        if spec is None:
            raise BadFault("kind", f"unknown fault kind {kind!r}")
        if account != "all" and not 1 <= account <= self._accounts:
            raise BadFault("account", f"account must be 1..{self._accounts} or 'all'")
        if not 0.0 <= probability <= 1.0:
            raise BadFault("probability", "probability must be between 0 and 1")
        for name, value in params.items():
            if name not in spec.params:
                raise BadFault(f"params.{name}", f"{kind} has no parameter {name!r}")
            if not _fits(name, value, spec.params[name]):
                raise BadFault(f"params.{name}", f"{value!r} does not fit {name}")
        where = _endpoints(endpoint, spec, params.get("book"))
        if not where <= self._known:
            raise BadFault("endpoint", f"unknown endpoint {', '.join(sorted(where - self._known))}")
        if count == "default":
            count = None if spec.lasting else 1
        if count is not None and count < 1:
            raise BadFault("count", "count must be at least 1 or null")
        if params.get("reads"):
            count = int(params["reads"])
        fault = Fault(
            id=self._next,
            kind=kind,
            account=None if account == "all" else account,
            endpoints=where,
            symbol=symbol,
            count=count,
            probability=probability,
            params={**spec.params, **params},
            until=None if for_s is None else self._clock.now() + timedelta(seconds=for_s),
        )
        self._next += 1
        self._faults[fault.id] = fault
        return fault

    def hit(
        self,
        kind: str,
        account: int,
        endpoint: str = "stream",
        symbol: str = "",
        where: Mapping[str, Any] | None = None,
    ) -> Fault | None:
        """The fault that strikes now, counted; None when nothing does. `where` asks for parameter values."""
        if not self._faults:
            return None
        for fault in list(self._faults.values()):
            if fault.kind != kind or fault.spent or not fault.covers(account, endpoint, symbol):
                continue
            if where is not None and any(fault.params.get(k) != v for k, v in where.items()):
                continue
            if fault.until is not None and self._clock.now() >= fault.until:
                continue
            if fault.probability < 1.0 and self._rng.random() >= fault.probability:
                continue
            fault.hits += 1
            return fault
        return None

    @property
    def quiet(self) -> bool:
        """Nothing is on the board: no need to ask kind by kind."""
        return not self._faults

    def any_armed(self, kinds: Iterable[str], account: int) -> bool:
        """Cheap look, uncounted, so that the tick path need not ask per symbol."""
        wanted = frozenset(kinds)
        return any(f.kind in wanted and not f.spent and f.account in (None, account) for f in self._faults.values())

    def remove(self, fault_id: int) -> bool:
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> int:
        removed = len(self._faults)
        self._faults.clear()
        return removed

    def all(self) -> list[Fault]:
        return list(self._faults.values())


def _fits(name: str, value: Any, default: Any) -> bool:
    if name == "book":
        return value is None or value in BOOKS
    if isinstance(default, bool | str):
        return type(value) is type(default)
    if value is None:
        return default is None
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _endpoints(endpoint: str | Iterable[str] | None, spec: Kind, book: str | None) -> frozenset[str]:
    if book is not None:
        return frozenset({book})
    if endpoint is None:
        return spec.endpoints
    names = [endpoint] if isinstance(endpoint, str) else list(endpoint)
    if "*" in names:
        return ANY
    chosen: set[str] = set()
    for name in names:
        chosen |= GROUPS.get(name, frozenset({name.strip("/").removeprefix("api/v1/")}))
    return frozenset(chosen)
