"""Sending through one channel. Each sender raises NotSent with a sentence that holds no secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
from collections.abc import Mapping
from typing import Any

import httpx
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend

from algomirror.kernel import clock
from algomirror.kernel.errors import AlgoMirrorError
from algomirror.ops import hooks, push
from algomirror.ops.outgoing import refuse_in_transaction

TIMEOUT_S = 5.0


class NotSent(AlgoMirrorError):
    """The far side did not take it. `is_final`: repeating would not help."""

    def __init__(self, text: str, *, is_final: bool = False) -> None:
        super().__init__(text)
        self.is_final = is_final


def send(kind: str, config: Mapping[str, Any], message: Mapping[str, Any]) -> None:
    """`message`: subject, text, and the alarm's own fields. Never inside a transaction."""
    refuse_in_transaction()
    _SENDERS[kind](config, message)


def _telegram(config: Mapping[str, Any], message: Mapping[str, Any]) -> None:
    url = f"{settings.TELEGRAM_URL}/bot{config['token']}/sendMessage"
    body = {
        "chat_id": config["chat"],
        "text": f"{message['subject']}\n{message['text']}"[:4000],
        "disable_web_page_preview": True,
    }
    _post(url, json.dumps(body).encode(), {}, who="Telegram")


def _webhook(config: Mapping[str, Any], message: Mapping[str, Any]) -> None:
    why = hooks.call("address_trouble", config["url"])
    if why:
        raise NotSent(why)
    at = str(int(clock.now().timestamp()))
    raw = json.dumps(dict(message), sort_keys=True).encode()
    signed = hmac.new(str(config["secret"]).encode(), at.encode() + b"." + raw, hashlib.sha256).hexdigest()
    headers = {"X-AlgoMirror-Timestamp": at, "X-AlgoMirror-Signature": f"sha256={signed}"}
    _post(config["url"], raw, headers, who="the webhook")


def _post(url: str, raw: bytes, headers: Mapping[str, str], *, who: str) -> None:
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
            status = client.post(url, content=raw, headers={"Content-Type": "application/json", **headers}).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise NotSent(f"{who} could not be reached ({type(error).__name__})") from None  # the address holds the token
    if status >= 300:
        wrong = 400 <= status < 500 and status not in (408, 425, 429)
        raise NotSent(f"{who} answered {status}", is_final=wrong)


def _email(config: Mapping[str, Any], message: Mapping[str, Any]) -> None:
    backend = EmailBackend(
        host=config["host"],
        port=int(config["port"]),
        username=config.get("user", ""),
        password=config.get("password", ""),
        use_tls=config.get("security") == "starttls",
        use_ssl=config.get("security") == "ssl",
        timeout=int(TIMEOUT_S),
    )
    mail = EmailMessage(message["subject"], message["text"], config["sender"], [config["recipient"]], connection=backend)
    try:
        taken = mail.send()
    except (smtplib.SMTPException, OSError) as error:
        raise NotSent(f"the mail server did not take it ({type(error).__name__})") from None
    if not taken:
        raise NotSent("the mail server did not take it")


def _browser(config: Mapping[str, Any], message: Mapping[str, Any]) -> None:
    """To every page that is open and was allowed to notify."""
    push.push("alarms", "shout", subject=message["subject"], text=message["text"], url=message["url"], **_whose(message))


def _whose(message: Mapping[str, Any]) -> dict[str, Any]:
    """Sockets of people who are limited to accounts ask."""
    return {name: message.get(name) for name in ("account", "run")}


_SENDERS = {"TELEGRAM": _telegram, "WEBHOOK": _webhook, "EMAIL": _email, "BROWSER": _browser}
