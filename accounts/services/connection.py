"""Trying a server before trusting it: step by step, each with a sentence that says what to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from accounts import addresses
from accounts.gateway import stream_check
from accounts.gateway.directory import probe
from accounts.gateway.port import Gateway
from accounts.gateway.reports import Failed, Funds, Read, Why

REQUIRED = ("Address", "Key", "Broker session", "Books")

_ADVICE = {
    Why.UNREACHABLE: "Check the host and port, and that the OpenAlgo server is running.",
    Why.TIMEOUT: "Something listens there but does not answer in time. Is it OpenAlgo, and is that its port?",
    Why.KEY_REFUSED: (
        "Either the key is wrong or nobody is logged in at the broker on that server: OpenAlgo answers the same to both. "
        "Log in there, compare the key; a corrected key can take 5 minutes to be noticed."
    ),
    Why.THROTTLED: "The server asks for a pause. Try again in a moment.",
    Why.SERVER_ERROR: "The server failed inside. Look at its log; usually the broker's login there has expired.",
    Why.UNREADABLE: "The answer is not one of OpenAlgo's. Is another program at this address?",
    Why.NO_SESSION: "The broker session has expired: log in at the broker on that server. It ends about 03:00 every day.",
    Why.BUDGET: "Too many calls at once from here. Try again in a moment.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """`is_good` None: not tried, because an earlier step failed or it was not asked for."""

    name: str
    is_good: bool | None
    text: str = ""
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Tried:
    steps: list[Step] = field(default_factory=list)
    broker: str = ""
    mode: str | None = None
    funds: Read[Funds] | None = None

    @property
    def is_good(self) -> bool:
        return bool(self.steps) and all(s.is_good for s in self.steps if s.is_required)

    @property
    def trouble(self) -> str:
        """The first required step that failed, as one sentence; "" when none did."""
        bad = next((s for s in self.steps if s.is_required and not s.is_good), None)
        return f"{bad.name}: {bad.text}" if bad else ""


def try_connection(*, host_url: str, websocket_url: str, key: str, stream_wait_s: float = 0.0) -> Tried:
    """Ask everything trading needs, and change nothing. With `stream_wait_s` also sign in at the stream.

    Raises Refused when an address is not allowed at all.
    """
    host, stream = addresses.host_url(host_url), addresses.websocket_url(websocket_url)
    why = addresses.check_resolved(host) or addresses.check_resolved(stream)
    if why:
        tried = Tried([Step("Address", False, why)])
    else:
        tried = _ask(probe(host, stream, key), [Step("Address", True, _address_note(host))])
    rest = [Step(name, None, "Not tried.") for name in REQUIRED[len(tried.steps) :]]
    return replace(tried, steps=[*tried.steps, *rest, _stream_step(tried, stream, key, stream_wait_s)])


def _stream_step(tried: Tried, url: str, key: str, wait_s: float) -> Step:
    if not tried.is_good or wait_s <= 0:
        return Step("Stream", None, "Not tried.", is_required=False)
    trouble = stream_check.sign_in(url, key, wait_s=wait_s)
    return Step("Stream", not trouble, trouble or "Ticks can be subscribed.", is_required=False)


def _ask(door: Gateway, steps: list[Step]) -> Tried:
    who = door.identify()
    if isinstance(who, Failed):
        return Tried([*steps, Step("Key", False, advice(who))])
    broker, mode = who.value.broker, who.value.mode
    steps = [*steps, Step("Key", True, f"Accepted; the broker is {broker}, the server is in {_world(mode)} mode.")]
    funds = door.funds()
    if isinstance(funds, Failed):
        return Tried([*steps, Step("Broker session", False, advice(funds))], broker, mode)
    steps = [*steps, Step("Broker session", True, "Funds were read.")]
    books = door.position_book()
    if isinstance(books, Failed):
        return Tried([*steps, Step("Books", False, advice(books))], broker, mode, funds)
    held = sum(1 for row in books.value if row.units)
    said = "1 open position there now." if held == 1 else f"{held} open positions there now."
    return Tried([*steps, Step("Books", True, said)], broker, mode, funds)


def advice(failed: Failed) -> str:
    """What a person can do about it, with the server's own words when it had some."""
    if failed.why is Why.REFUSED:
        return _refusal_advice(failed)
    if failed.why is Why.UNREACHABLE:
        more = (
            _ADVICE[failed.why] if "TLS" not in failed.text else "Compare the address with the one OpenAlgo's own pages open at."
        )
        more = f"{more} A server behind TLS wants https://." if "broke" in failed.text else more
        return f"{failed.text[:1].upper()}{failed.text[1:]}. {more}"
    if failed.why is Why.SERVER_ERROR:
        return f"{_ADVICE[failed.why]} It said: {failed.text[:120]}"
    return _ADVICE[failed.why]


def _refusal_advice(failed: Failed) -> str:
    status = failed.http_status or 0
    if 300 <= status < 400:
        return "The server redirects to another address. Use its https:// address directly."
    if "HTTPS port" in failed.text:
        return "The server wants an encrypted connection there: write https:// instead of http://."
    if status in (405, 426, 501):
        return "Something answers there, but it is no OpenAlgo API. Is this the port of the WebSocket?"
    if status == 404:
        return "Something answers there, but it has no OpenAlgo API at this address. Check host and port."
    return f"The server refused: {failed.text[:160]}"


def _address_note(host: str) -> str:
    if host.startswith("http://") and not addresses.is_local(host):
        return "Reached without encryption: the key travels readable. Use https:// for a server that is not on this network."
    return "The address is allowed."


def _world(mode: Any) -> str:
    return {"LIVE": "live", "PAPER": "paper"}.get(str(mode), "an unknown")
