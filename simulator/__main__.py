"""python -m simulator: start N stand-in OpenAlgo servers and their control port."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from datetime import datetime
from pathlib import Path

from simulator.clock import IST, SimClock
from simulator.limits import Limits
from simulator.runtime import Ports, Runtime
from simulator.shares import of_account
from simulator.world import World


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--accounts", type=int, default=3)
    parser.add_argument("--port-base", type=int, default=5600)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--profile", choices=("sandbox", "live"), default="sandbox")
    parser.add_argument("--always-open", action="store_true", help="the session never closes")
    parser.add_argument("--at", type=_moment, help="start the clock here, e.g. 2026-11-20T10:00:00+05:30")
    parser.add_argument("--ahead-s", type=float, default=0.0, help="the clock runs this much ahead of the real one")
    parser.add_argument("--tick-ms", type=float, default=500.0, help="0 pauses the market")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--state", type=Path, help="keep books and prices in this file across restarts")
    parser.add_argument("--auth-grace-s", type=float, default=15.0, help="WebSocket authentication deadline")
    parser.add_argument("--no-limits", action="store_true", help="switch the rate limits off")
    parser.add_argument("--lots", type=_lots, default={}, help="override lot sizes, e.g. NIFTY=75,BANKNIFTY=35")
    parser.add_argument("--shares", action="store_true", help="every account holds some shares")
    parser.add_argument("--more-indices", action="store_true", help="list FINNIFTY and MIDCPNIFTY too")
    parser.add_argument("--strikes", type=int, default=40, help="listed on each side of spot, 1 to 200")
    return parser.parse_args(argv)


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=IST)


def _lots(text: str) -> dict[str, int]:
    return {name: int(size) for name, size in (pair.split("=") for pair in text.split(","))}


def build(args: argparse.Namespace) -> Runtime:
    clock = SimClock(args.at)
    clock.advance(args.ahead_s)
    world = World(
        args.accounts,
        args.seed,
        args.profile,
        clock,
        args.always_open,
        tick_ms=args.tick_ms,
        lots=args.lots,
        optional_underlyings=args.more_indices,
        strikes_each_side=min(max(args.strikes, 1), 200),
        limits=None if args.no_limits else Limits(),
    )
    if args.shares:
        for account in world.accounts:
            account.shares = of_account(account.index)
    if args.latency_ms:
        for account in world.accounts:
            account.latency_ms["*"] = args.latency_ms
    return Runtime(world, Ports(args.port_base), args.host, args.tick_ms, args.state, args.auth_grace_s)


async def serve(runtime: Runtime) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await runtime.start()
    sys.stdout.write(f"control http://{runtime.host}:{runtime.ports.base}\n")
    for account in runtime.world.accounts:
        rest, stream = runtime.ports.rest(account.index), runtime.ports.stream(account.index)
        sys.stdout.write(
            f"account {account.index} {account.profile} http://{runtime.host}:{rest} "
            f"ws://{runtime.host}:{stream} key {account.api_key}\n"
        )
    sys.stdout.write("simulator ready\n")
    sys.stdout.flush()
    await stopped.wait()
    await runtime.stop()


def main(argv: list[str] | None = None) -> None:
    try:
        asyncio.run(serve(build(arguments(argv))))
    except OSError as error:
        sys.exit(f"simulator: {error}")


if __name__ == "__main__":
    main()
