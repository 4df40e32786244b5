"""Everything in one object: the market, the accounts, the faults. No sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.account import AccountServer
from simulator.clock import SimClock
from simulator.faults import FaultBoard
from simulator.limits import Limits
from simulator.market import Market
from simulator.rest.routes import ENDPOINTS

DEFAULT_LIMITS = Limits()


class World:
    """N accounts over one market. `accounts[0]` is account 1."""

    def __init__(
        self,
        accounts: int = 3,
        seed: int = 7,
        profile: str = "sandbox",
        clock: SimClock | None = None,
        always_open: bool = True,
        *,
        tick_ms: float = 500.0,
        lots: Mapping[str, int] | None = None,
        limits: Limits | None = DEFAULT_LIMITS,
        broker_name: str = "simulator",
        optional_underlyings: bool = False,
        strikes_each_side: int = 40,
    ) -> None:
        self.seed = seed
        self.profile = profile
        self.clock = clock or SimClock()
        self.market = Market(
            self.clock,
            seed,
            always_open=always_open,
            tick_s=(tick_ms or 500.0) / 1000.0,
            lots=lots,
            optional_underlyings=optional_underlyings,
            strikes_each_side=strikes_each_side,
        )
        self.faults = FaultBoard(self.clock, seed, accounts, ENDPOINTS)
        self._limits = limits
        self._broker_name = broker_name
        self.accounts = [self._account(i + 1) for i in range(accounts)]

    def _account(self, index: int) -> AccountServer:
        account = AccountServer(index, self.seed, self.market, self.faults, self._limits, self._broker_name)
        account.use_profile(self.profile)
        return account

    def tick(self, steps: int = 1) -> bool:
        """Advance prices and match resting orders, `steps` times; False when the market was closed.

        Time itself is the clock's: a frozen clock stays where it is.
        """
        moved = False
        for _ in range(steps):
            moved = self.market.step()
            self.match()
        return moved

    def match(self) -> None:
        """Match resting orders at the prices as they stand."""
        for account in self.accounts:
            account.on_tick()

    def set_price(self, exchange: str, symbol: str, price: float, hold: bool = True) -> None:
        """Pin a price (see Market.set_price). Resting orders react at the next tick or match."""
        self.market.set_price(exchange, symbol, price, hold)

    def reset(self) -> None:
        """Fresh books, funds and faults; the market goes on. Streams keep their sinks."""
        self.faults.clear()
        for i, old in enumerate(self.accounts):
            fresh = self._account(old.index)
            old.paper, old.real = fresh.paper, fresh.real
            old.rewire()
            self.accounts[i] = old

    @property
    def version(self) -> int:
        """Changes whenever any book changes."""
        return sum(a.paper.version + a.real.version for a in self.accounts)

    def to_state(self) -> dict[str, Any]:
        return {
            "format": 1,
            "seed": self.seed,
            "market": self.market.to_state(),
            "accounts": [a.to_state() for a in self.accounts],
        }

    def adopt(self, state: dict[str, Any]) -> None:
        """Restore books and prices written by `to_state`; accounts beyond the file start empty."""
        self.market.adopt(state["market"])
        for account, saved in zip(self.accounts, state["accounts"], strict=False):
            account.adopt(saved)
