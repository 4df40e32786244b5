"""What the reply to an order call proves. Pure and total: every outcome has exactly one verdict, none raises.

The one rule behind all others: an answer that could hide a live order is never REFUSED and never NOT_SENT.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from accounts.gateway.reports import NoReply, OrderReply, RawReply, Verdict

KEY_REFUSED = "Invalid openalgo apikey"
BANNED = "Access Denied"
TEXT_LIMIT = 300
ID_LIMIT = 64

# Statuses that speak of the transport, not of the order, although they start with 4.
AMBIGUOUS_STATUS = frozenset({408, 409, 425, 429, 499})
# Adapters pass on the text of their own broken call to the broker, whatever HTTP status they choose for it.
AMBIGUOUS_TEXT = re.compile(
    r"time[ds]?[\s-]*out\b|no response|bad gateway|internal (?:server )?error"
    r"|connection (?:error|reset|aborted|refused|closed|broken)",
    re.IGNORECASE,
)
_NO_ID = frozenset({"", "none", "null", "nan", "0"})


@dataclass(frozen=True, slots=True)
class _Said:
    """The parts of a reply body that matter, whatever shape the body had."""

    word: str
    order_id: str | None
    text: str
    mode_word: str

    @property
    def mode(self) -> Literal["LIVE", "PAPER"] | None:
        if self.mode_word.startswith("analy"):
            return "PAPER"
        return "LIVE" if self.mode_word == "live" else None

    @property
    def mode_of_success(self) -> Literal["LIVE", "PAPER"] | None:
        """A live server does not mention a mode on success; errors may omit it in both worlds."""
        return "LIVE" if self.mode_word == "" else self.mode

    @property
    def is_queued(self) -> bool:
        return self.mode_word.replace("-", "_") == "semi_auto" or "queued" in self.text.lower()


def classify(outcome: RawReply | NoReply) -> OrderReply:
    """The verdict on a reply to `place`."""
    if isinstance(outcome, NoReply):
        return _silence(outcome)
    said = _listen(outcome.body)
    early = _never_ran(outcome, said)
    if early is not None:
        return early
    if 200 <= outcome.http_status < 300:
        return _placed(outcome, said)
    if 400 <= outcome.http_status < 500:
        return _declined(outcome, said)
    return _unknown(outcome, said)


def classify_change(outcome: RawReply | NoReply) -> OrderReply:
    """The verdict on a reply to `cancel` or `modify`.

    ACCEPTED means the request was taken, with or without an id; what became of the order, only the book says.
    """
    if isinstance(outcome, NoReply):
        return _silence(outcome)
    said = _listen(outcome.body)
    early = _never_ran(outcome, said)
    if early is not None:
        return early
    if 200 <= outcome.http_status < 300 and said.word == "success":
        verdict = Verdict.QUEUED if said.order_id is None and said.is_queued else Verdict.ACCEPTED
        return OrderReply(verdict, said.order_id, said.text, said.mode_of_success, outcome.http_status)
    if 200 <= outcome.http_status < 500:
        return _declined(outcome, said)
    return _unknown(outcome, said)


def _silence(outcome: NoReply) -> OrderReply:
    verdict = Verdict.UNKNOWN if outcome.reached else Verdict.NOT_SENT
    return OrderReply(verdict, text=outcome.text[:TEXT_LIMIT])


def _never_ran(outcome: RawReply, said: _Said) -> OrderReply | None:
    """Replies given before the order's own code was reached: nothing was placed."""
    status = outcome.http_status
    if said.order_id is not None or said.word == "success":
        return None
    if status == 429:
        return OrderReply(Verdict.NOT_SENT, text=said.text or "too many requests", mode=said.mode, http_status=status)
    if status in (401, 403) and said.text == KEY_REFUSED:
        return OrderReply(Verdict.NOT_SENT, text=said.text, mode=said.mode, http_status=status, key_refused=True)
    if status == 403 and (said.text == BANNED or (outcome.body is None and outcome.text.startswith(BANNED))):
        return OrderReply(Verdict.NOT_SENT, text="this machine's address is banned by the server", http_status=status)
    # A crash page of the server is also a redirect (302 to its error page), and may come after acceptance.
    moved = status in (301, 307, 308) or (status in (302, 303) and "/api/v1/" in outcome.text)
    if moved and outcome.body is None:
        return OrderReply(
            Verdict.NOT_SENT, text=f"the server redirects: use https ({outcome.text})"[:TEXT_LIMIT], http_status=status
        )
    return None


def _placed(outcome: RawReply, said: _Said) -> OrderReply:
    if said.word == "success":
        if said.order_id is not None:
            return OrderReply(Verdict.ACCEPTED, said.order_id, said.text, said.mode_of_success, outcome.http_status)
        if said.is_queued:
            return OrderReply(Verdict.QUEUED, None, said.text, said.mode, outcome.http_status)
        return _unknown(outcome, said)
    if said.order_id is not None:
        return _unknown(outcome, said)
    return _declined(outcome, said)


def _declined(outcome: RawReply, said: _Said) -> OrderReply:
    """REFUSED when a readable refusal is there and nothing speaks against it."""
    transport_talk = outcome.http_status in AMBIGUOUS_STATUS or AMBIGUOUS_TEXT.search(said.text)
    # Only a 4xx may lack `status`: the framework's own refusals do.
    is_error = said.word == "error" or (said.word == "" and said.order_id is None and outcome.http_status >= 400)
    if not is_error or not said.text or transport_talk:
        return _unknown(outcome, said)
    return OrderReply(Verdict.REFUSED, said.order_id, said.text, said.mode, outcome.http_status)


def _unknown(outcome: RawReply, said: _Said) -> OrderReply:
    text = said.text or f"HTTP {outcome.http_status} without a readable outcome"
    return OrderReply(Verdict.UNKNOWN, said.order_id, text, said.mode, outcome.http_status)


def _listen(body: Any) -> _Said:
    if not isinstance(body, dict):
        return _Said("", None, "", "")
    return _Said(
        word=_word(body.get("status")),
        order_id=_order_id(body),
        text=message_of(body),
        mode_word=_word(body.get("mode")),
    )


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def _order_id(body: dict[Any, Any]) -> str | None:
    inner = body.get("data")
    for place in (body, inner if isinstance(inner, dict) else {}):
        for name in ("orderid", "order_id", "orderId"):
            found = clean_id(place.get(name))
            if found is not None:
                return found
    return None


def clean_id(value: object) -> str | None:
    """A broker's order id as text, or None when it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value).strip() if isinstance(value, str) or abs(value) < 10**ID_LIMIT else ""
    return None if text.lower() in _NO_ID or len(text) > ID_LIMIT or not text.isprintable() else text


def message_of(body: Any) -> str:
    """The far side's words in one printable line of bounded length, whichever of its shapes they came in."""
    if not isinstance(body, dict):
        return ""
    parts = [_plain(body.get(name)) for name in ("message", "errors", "error")]
    text = ": ".join(p for p in parts if p)
    return "".join(c if c.isprintable() else " " for c in text).strip()[:TEXT_LIMIT]


def _plain(value: object, depth: int = 3) -> str:
    if value is None or depth == 0:
        return ""
    if isinstance(value, dict):
        return "; ".join(f"{str(k)[:40]}: {_plain(v, depth - 1)}" for k, v in list(value.items())[:10])
    if isinstance(value, list):
        return ", ".join(_plain(v, depth - 1) for v in value[:10])
    if isinstance(value, int) and abs(value) > 10**20:
        return "a very large number"
    return str(value)[:TEXT_LIMIT]
