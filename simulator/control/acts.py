"""What the control port can do, one function per path."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from simulator.account import AccountServer
from simulator.clock import IST
from simulator.control.fields import BadInput, Fields
from simulator.faults import BadFault
from simulator.orders import OrderRequest, Refused, freeze, money

if TYPE_CHECKING:
    from simulator.runtime import Runtime

Reply = dict[str, Any]
Act = Callable[["Runtime", Fields], Reply]
OK: Reply = {"ok": True}
WHOLE_ACCOUNT = "all"


def state(runtime: Runtime, fields: Fields) -> Reply:
    world = runtime.world
    market = world.market
    indices = [c for c in market.listing.contracts if c.kind == "INDEX"]
    quotes = {c.symbol: market.quote(c.exchange, c.symbol) for c in indices}
    return {
        "clock": {"now": world.clock.now().isoformat(), "rate": world.clock.rate, "open": market.is_open()},
        "tick_ms": runtime.tick_ms,
        "ticks": market.prices.ticks,
        "frames_sent": runtime.frames_sent,
        "indices": {name: quote.ltp for name, quote in quotes.items() if quote is not None},
        "vols": {name: round(smile.atm, 6) for name, smile in market.prices.smiles.items()},
        "contracts": len(market.listing.contracts),
        "accounts": [_account_row(runtime, account) for account in world.accounts],
        "faults": [fault.describe() for fault in world.faults.all()],
    }


def _account_row(runtime: Runtime, account: AccountServer) -> Reply:
    rest, stream = runtime.ports.rest(account.index), runtime.ports.stream(account.index)
    return {
        "account": account.index,
        "api_key": account.api_key,
        "profile": account.profile,
        "analyze": account.analyze,
        "rest_port": rest,
        "ws_port": stream,
        "rest_url": f"http://{runtime.host}:{rest}",
        "ws_url": f"ws://{runtime.host}:{stream}",
        "latency_ms": account.latency_ms,
        "sockets": len(runtime.streams[account.index - 1].hub.sessions),
    }


def books(account: AccountServer) -> Reply:
    """Exact books of the mode in force; money as strings."""
    broker = account.broker
    broker.settle()
    orders = []
    for order in broker.orders.values():
        row = freeze(order)
        orders.append({**row.pop("request"), **row, "average": str(order.average)})
    return {
        "account": account.index,
        "profile": account.profile,
        "orders": orders,
        "trades": [freeze(t) for t in broker.trades],
        "positions": [
            {**freeze(p), "unrealised": str(p.unrealised(broker.last_or_average(p)))} for p in broker.positions.values()
        ],
        "realised": str(broker.realised_total),
        "funds": {name: str(value) for name, value in broker.funds().items()},
    }


def price(runtime: Runtime, fields: Fields) -> Reply:
    market = runtime.world.market
    exchange, symbol = fields.text("exchange"), fields.text("symbol")
    hold, release = fields.flag("hold", True), fields.flag("release", False)
    quote = market.quote(exchange, symbol)
    if quote is None:
        raise BadInput("symbol", f"{symbol} is not listed on {exchange}")
    if release:
        fields.done()
        market.release(exchange, symbol)
        return OK
    if fields.has("price") == fields.has("percent"):
        raise BadInput("price", "give either price or percent")
    target = fields.positive("price") if fields.has("price") else round(quote.ltp * (1.0 + fields.number("percent") / 100.0), 2)
    fields.done()
    if target <= 0:
        raise BadInput("percent", "the price would not be above 0")
    market.set_price(exchange, symbol, target, hold)
    _apply(runtime)
    return {"ok": True, "price": target}


def path(runtime: Runtime, fields: Fields) -> Reply:
    name = _underlying(runtime, fields)
    points = fields.raw("points")
    fields.done()
    if not isinstance(points, list) or not points:
        raise BadInput("points", "must be a list of [seconds, price]")
    parsed: list[tuple[float, float]] = []
    for point in points:
        if not isinstance(point, list) or len(point) != 2 or not all(_is_number(x) for x in point):
            raise BadInput("points", "must be a list of [seconds, price]")
        if point[1] <= 0 or point[0] < (parsed[-1][0] if parsed else 0.0):
            raise BadInput("points", "seconds must not go back and prices must be above 0")
        parsed.append((float(point[0]), float(point[1])))
    runtime.world.market.set_path(name, parsed)
    return OK


def iv(runtime: Runtime, fields: Fields) -> Reply:
    name = _underlying(runtime, fields)
    if fields.has("vol") == fields.has("add"):
        raise BadInput("vol", "give either vol or add")
    vol = fields.positive("vol") if fields.has("vol") else None
    add = fields.number("add", 0.0)
    fields.done()
    runtime.world.market.set_iv(name, vol=vol, add=add)
    _apply(runtime)
    return OK


def shock(runtime: Runtime, fields: Fields) -> Reply:
    name = _underlying(runtime, fields)
    percent = fields.number("percent")
    fields.done()
    if percent <= -100:
        raise BadInput("percent", "must be above -100")
    runtime.world.market.shock(name, percent)
    _apply(runtime)
    return {"ok": True, "price": runtime.world.market.spot(name)}


def tick(runtime: Runtime, fields: Fields) -> Reply:
    ms = fields.number("ms")
    fields.done()
    if ms < 0 or 0 < ms < 10:
        raise BadInput("ms", "must be 0 (paused) or at least 10")
    runtime.tick_ms = ms
    if ms:
        runtime.world.market.tick_s = ms / 1000.0
    return OK


def step(runtime: Runtime, fields: Fields) -> Reply:
    n = fields.whole("n", 1)
    fields.done()
    if not 1 <= n <= 10_000:
        raise BadInput("n", "must be between 1 and 10000")
    runtime.step(n)
    return {"ok": True, "ticks": runtime.world.market.prices.ticks}


def clock(runtime: Runtime, fields: Fields) -> Reply:
    world = runtime.world
    at, advance, rate = fields.has("at"), fields.has("advance"), fields.has("rate")
    if not (at or advance or rate):
        raise BadInput("at", "give at, advance or rate")
    if at:
        try:
            moment = datetime.fromisoformat(fields.text("at"))
        except ValueError:
            raise BadInput("at", "must be ISO 8601") from None
        world.clock.set(moment if moment.tzinfo is not None else moment.replace(tzinfo=IST))
    if advance:
        world.clock.advance(fields.number("advance"))
    if rate:
        speed = fields.number("rate")
        if speed < 0:
            raise BadInput("rate", "must not be negative")
        world.clock.set_rate(speed)
    fields.done()
    world.market.roll()
    _apply(runtime)
    return {"ok": True, "now": world.clock.now().isoformat()}


def latency(runtime: Runtime, fields: Fields) -> Reply:
    chosen = _accounts(runtime, fields)
    ms, endpoint = fields.number("ms"), fields.text("endpoint", "*")
    fields.done()
    if ms < 0:
        raise BadInput("ms", "must not be negative")
    for account in chosen:
        account.latency_ms[endpoint] = ms
    return OK


def profile(runtime: Runtime, fields: Fields) -> Reply:
    chosen = _accounts(runtime, fields)
    name = fields.choice("profile", ("sandbox", "live"))
    transit, slices = fields.number("transit_s", -1.0), fields.whole("slices", 0)
    refuse = fields.raw("refuse_market")
    semi_auto = fields.raw("semi_auto")
    fields.done()
    for account in chosen:
        account.use_profile(name)
        if transit >= 0:
            account.options.transit_s = transit
        if slices > 0:
            account.options.slices = slices
        if isinstance(refuse, bool):
            account.options.refuse_market = refuse
        if isinstance(semi_auto, bool):
            account.options.semi_auto = semi_auto
    return OK


def capital(runtime: Runtime, fields: Fields) -> Reply:
    chosen, rupees = _accounts(runtime, fields), money(fields.number("rupees"))
    fields.done()
    if rupees < 0:
        raise BadInput("rupees", "must not be negative")
    for account in chosen:
        account.options.capital = rupees
    return OK


def analyzer(runtime: Runtime, fields: Fields) -> Reply:
    chosen, on = _accounts(runtime, fields), fields.flag("on")
    fields.done()
    for account in chosen:
        account.analyze = on
    return OK


def outside_order(runtime: Runtime, fields: Fields) -> Reply:
    account = _account(runtime, fields)
    symbol = fields.text("symbol")
    exchange = fields.text("exchange", "BFO" if symbol.startswith(("SENSEX", "BANKEX")) else "NFO")
    request = OrderRequest(
        exchange=exchange,
        symbol=symbol,
        action=fields.choice("action", ("BUY", "SELL")),
        quantity=int(fields.positive("quantity")),
        pricetype=fields.choice("pricetype", ("MARKET", "LIMIT", "SL", "SL-M"), "MARKET"),
        product=fields.choice("product", ("MIS", "NRML", "CNC"), "NRML"),
        price=money(fields.number("price", 0.0)),
        trigger=money(fields.number("trigger_price", 0.0)),
        strategy=str(fields.raw("strategy", "")),
        origin="outside",
    )
    fields.done()
    try:
        return {"ok": True, "orderid": account.broker.place(request)}
    except Refused as refusal:
        raise BadInput("symbol", refusal.message) from None


def squareoff(runtime: Runtime, fields: Fields) -> Reply:
    chosen = _accounts(runtime, fields)
    product = fields.choice("product", ("MIS", "NRML", "CNC", WHOLE_ACCOUNT), "MIS")
    fields.done()
    closed = failed = 0
    for account in chosen:
        done = account.broker.square_off(None if product == WHOLE_ACCOUNT else (product,))
        closed, failed = closed + done[0], failed + done[1]
    return {"ok": True, "closed": closed, "failed": failed}


def reset(runtime: Runtime, fields: Fields) -> Reply:
    fields.done()
    runtime.world.reset()
    return OK


def faults(runtime: Runtime, fields: Fields) -> Reply:
    return {"faults": [fault.describe() for fault in runtime.world.faults.all()]}


def add_fault(runtime: Runtime, fields: Fields) -> Reply:
    kind = fields.text("kind")
    account = fields.raw("account", "all")
    endpoint, symbol = fields.raw("endpoint"), fields.raw("symbol")
    count, probability = fields.raw("count", "default"), fields.number("probability", 1.0)
    for_s, params = fields.raw("for_s"), fields.raw("params", {})
    fields.done()
    if account != "all" and (isinstance(account, bool) or not isinstance(account, int)):
        raise BadInput("account", "must be a number or 'all'")
    if count not in (None, "default") and (isinstance(count, bool) or not isinstance(count, int)):
        raise BadInput("count", "must be a whole number or null")
    if not isinstance(params, dict):
        raise BadInput("params", "must be an object")
    if symbol is not None and not isinstance(symbol, str):
        raise BadInput("symbol", "must be text")
    if for_s is not None and not _is_number(for_s):
        raise BadInput("for_s", "must be a number")
    if endpoint is not None and not isinstance(endpoint, str | list):
        raise BadInput("endpoint", "must be text or a list of texts")
    try:
        fault = runtime.world.faults.add(
            kind,
            account=account,
            endpoint=endpoint,
            symbol=symbol,
            count=count,
            probability=probability,
            for_s=for_s,
            params=params,
        )
    except BadFault as bad:
        raise BadInput(bad.where, str(bad)) from None
    return fault.describe()


def _apply(runtime: Runtime) -> None:
    """A forced move acts at once: resting orders match and sockets hear of it."""
    runtime.world.match()
    if runtime.world.market.is_open():
        runtime.broadcast()


def _underlying(runtime: Runtime, fields: Fields) -> str:
    name = fields.text("underlying")
    if name not in runtime.world.market.underlyings:
        raise BadInput("underlying", f"must be one of {', '.join(runtime.world.market.underlyings)}")
    return name


def _account(runtime: Runtime, fields: Fields) -> AccountServer:
    return account_numbered(runtime, fields.whole("account"))


def account_numbered(runtime: Runtime, number: int) -> AccountServer:
    if not 1 <= number <= len(runtime.world.accounts):
        raise BadInput("account", f"must be 1..{len(runtime.world.accounts)}")
    return runtime.world.accounts[number - 1]


def _accounts(runtime: Runtime, fields: Fields) -> list[AccountServer]:
    if fields.raw("account") == WHOLE_ACCOUNT:
        return list(runtime.world.accounts)
    return [_account(runtime, fields)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


ACTS: dict[tuple[str, str], Act] = {
    ("GET", "/state"): state,
    ("GET", "/faults"): faults,
    ("POST", "/faults"): add_fault,
    ("POST", "/price"): price,
    ("POST", "/path"): path,
    ("POST", "/iv"): iv,
    ("POST", "/shock"): shock,
    ("POST", "/tick"): tick,
    ("POST", "/step"): step,
    ("POST", "/clock"): clock,
    ("POST", "/latency"): latency,
    ("POST", "/profile"): profile,
    ("POST", "/capital"): capital,
    ("POST", "/analyzer"): analyzer,
    ("POST", "/outside-order"): outside_order,
    ("POST", "/squareoff"): squareoff,
    ("POST", "/reset"): reset,
}
