"""Every kind of reply to an order call and what it proves. docs/GATEWAY.md is generated from these rows."""

from __future__ import annotations

from typing import Any, NamedTuple

from accounts.gateway.reports import NoReply, RawReply, Verdict

V = Verdict
ID = "26112072682660"


class Case(NamedTuple):
    what: str
    outcome: RawReply | NoReply
    verdict: Verdict
    order_id: str | None = None
    mode: str | None = None
    change: Verdict | None = None  # of cancel and modify, when it differs


def _ok(**more: Any) -> dict[str, Any]:
    return {"status": "success", **more}


def _no(message: Any, **more: Any) -> dict[str, Any]:
    return {"status": "error", "message": message, **more}


CASES = [
    Case("success with an id, no mode", RawReply(200, _ok(orderid=ID)), V.ACCEPTED, ID, "LIVE"),
    Case("success with an id, mode analyze", RawReply(200, _ok(orderid=ID, mode="analyze")), V.ACCEPTED, ID, "PAPER"),
    Case("success with a number as id", RawReply(200, _ok(orderid=26112072682660)), V.ACCEPTED, ID, "LIVE"),
    Case("success with an id, mode not known", RawReply(200, _ok(orderid=ID, mode="banana")), V.ACCEPTED, ID, None),
    Case("success without an id", RawReply(200, _ok()), V.UNKNOWN, change=V.ACCEPTED),
    Case("success, id null", RawReply(200, _ok(orderid=None)), V.UNKNOWN, change=V.ACCEPTED),
    Case("success, id empty text", RawReply(200, _ok(orderid="")), V.UNKNOWN, change=V.ACCEPTED),
    Case("success, id true", RawReply(200, _ok(orderid=True)), V.UNKNOWN, change=V.ACCEPTED),
    Case("success, id longer than any id", RawReply(200, _ok(orderid="9" * 65)), V.UNKNOWN, change=V.ACCEPTED),
    Case("success, queued for approval", RawReply(200, _ok(mode="semi_auto", pending_order_id=12)), V.QUEUED),
    Case("success, text says queued", RawReply(200, _ok(message="Order queued for approval in Action Center")), V.QUEUED),
    Case("200 with an error text, no id", RawReply(200, _no("RMS: margin exceeds")), V.REFUSED),
    Case("200 with an error text and an id", RawReply(200, _no("late", orderid=ID)), V.UNKNOWN, ID, change=V.REFUSED),
    Case("200 with an error and no text", RawReply(200, _no("")), V.UNKNOWN),
    Case("200 with an id, no status", RawReply(200, {"orderid": ID}), V.UNKNOWN, ID),
    Case("200, unreadable body", RawReply(200, None, "<html>"), V.UNKNOWN),
    Case("200, empty body", RawReply(200, None, ""), V.UNKNOWN),
    Case("200, a list", RawReply(200, [1]), V.UNKNOWN),
    Case("204", RawReply(204, None), V.UNKNOWN),
    Case("301 to https", RawReply(301, None, "redirect to https://h/api/v1/placeorder"), V.NOT_SENT),
    Case("302 to the same API path", RawReply(302, None, "redirect to https://h/api/v1/placeorder"), V.NOT_SENT),
    Case("302 to an error page", RawReply(302, None, "redirect to /error"), V.UNKNOWN),
    Case("400, validation text", RawReply(400, _no("{'quantity': ['Not a valid number.']}")), V.REFUSED),
    Case("400, validation object", RawReply(400, _no({"apikey": ["Missing data for required field."]})), V.REFUSED),
    Case("400, errors object", RawReply(400, _no("Validation error", errors={"legs": ["Unknown field."]})), V.REFUSED),
    Case("400, broker's refusal", RawReply(400, _no("RMS:Blocked by the broker")), V.REFUSED),
    Case("400, sandbox refusal", RawReply(400, _no("LIMIT orders require price", mode="analyze")), V.REFUSED, None, "PAPER"),
    Case("400 with an id", RawReply(400, _no("Cannot sell X in CNC", orderid=ID)), V.REFUSED, ID),
    Case("400, malformed JSON, no status", RawReply(400, {"message": "The browser (or proxy) sent a request"}), V.REFUSED),
    Case("400, order already final", RawReply(400, _no("Cannot cancel order in complete status")), V.REFUSED),
    Case("400 without any text", RawReply(400, _no("")), V.UNKNOWN),
    Case("400, unreadable body", RawReply(400, None, "<html>nginx</html>"), V.UNKNOWN),
    Case("400 that says success", RawReply(400, _ok(orderid=ID)), V.UNKNOWN, ID),
    Case("400, text of a time-out at the broker", RawReply(400, _no("Read timed out")), V.UNKNOWN),
    Case("401, broker's text", RawReply(401, _no("Token is invalid or has expired")), V.REFUSED),
    Case("403, key refused", RawReply(403, _no("Invalid openalgo apikey")), V.NOT_SENT),
    Case("403, semi-auto forbids it", RawReply(403, _no("Operation not allowed in Semi-Auto mode")), V.REFUSED),
    Case("403, address banned (text)", RawReply(403, None, "Access Denied: Your IP has been banned"), V.NOT_SENT),
    Case("403, address banned (JSON)", RawReply(403, {"error": "Access Denied"}), V.NOT_SENT),
    Case("403, some other page", RawReply(403, None, "<html>Forbidden</html>"), V.UNKNOWN),
    Case("404, unknown path or method", RawReply(404, _no("Not found", path="/api/v1/placeorder")), V.REFUSED),
    Case("404, unknown order", RawReply(404, _no("Order 1 not found", mode="analyze")), V.REFUSED, None, "PAPER"),
    Case("408", RawReply(408, _no("Request Timeout")), V.UNKNOWN),
    Case("409", RawReply(409, _no("duplicate")), V.UNKNOWN),
    Case("429, server's text", RawReply(429, {"message": "10 per 1 second"}), V.NOT_SENT),
    Case("429, unreadable", RawReply(429, None, "slow down"), V.NOT_SENT),
    Case("429 with an id", RawReply(429, _no("too many", orderid=ID)), V.UNKNOWN, ID),
    Case("500, text of the server", RawReply(500, _no("Failed to place order due to internal error")), V.UNKNOWN),
    Case("500, text of the broker", RawReply(500, _no("RMS:Margin Exceeds")), V.UNKNOWN),
    Case("500 with an id", RawReply(500, _no("late failure", orderid=ID)), V.UNKNOWN, ID),
    Case("501", RawReply(501, _no("not supported by this broker")), V.UNKNOWN),
    Case("502, proxy page", RawReply(502, None, "<html>502 Bad Gateway</html>"), V.UNKNOWN),
    Case("503 of the broker", RawReply(503, _no("service unavailable")), V.UNKNOWN),
    Case("no connection was made", NoReply(False, "nothing answers there"), V.NOT_SENT),
    Case("our own budget said no", NoReply(False, "order budget is used up", over_budget=True), V.NOT_SENT),
    Case("time-out after sending", NoReply(True, "no answer within the time limit", timed_out=True), V.UNKNOWN),
    Case("connection broke after sending", NoReply(True, "the connection broke"), V.UNKNOWN),
]


def table() -> str:
    """The rows as markdown, for docs/GATEWAY.md."""
    lines = ["| reply | place | cancel, modify | id kept | mode |", "|---|---|---|---|---|"]
    for case in CASES:
        kept = "yes" if case.order_id else ""
        lines.append(f"| {case.what} | {case.verdict} | {case.change or case.verdict} | {kept} | {case.mode or ''} |")
    return "\n".join(lines)
