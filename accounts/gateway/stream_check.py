"""One sign-in at a server's tick stream, to say whether it works. The feed itself is another room."""

from __future__ import annotations

import json
import ssl

import websocket

from accounts.gateway.pinned import dial
from algomirror.kernel import clock

WAIT_S = 30.0


def sign_in(url: str, key: str, *, wait_s: float = WAIT_S) -> str:
    """ "" when the stream accepted the key, else a sentence. The first sign-in of a day may take many seconds."""
    deadline = clock.monotonic() + wait_s
    try:
        wait = min(wait_s, 5)
        dialled = dial(url, timeout_s=wait)
        socket = websocket.create_connection(url, timeout=wait, socket=dialled, redirect_limit=0, suppress_origin=True)
    except ssl.SSLError:
        return (
            "The WebSocket address answers, but without TLS or with a certificate that is not trusted: use ws:// or another port."
        )
    except websocket.WebSocketBadStatusException as error:
        return f"Something answers at the WebSocket address ({error.status_code}), but no tick stream: check its port and path."
    except (OSError, ValueError, websocket.WebSocketException):
        return "Nothing answers at the WebSocket address: check host, port and ws:// against wss://."
    try:
        socket.send(json.dumps({"action": "authenticate", "api_key": key}))
        while (left := deadline - clock.monotonic()) > 0:
            socket.settimeout(left)
            verdict = _verdict(socket.recv())
            if verdict is not None:
                return verdict
    except (OSError, ValueError, websocket.WebSocketException):
        return "The stream connected but gave no answer to the sign-in in time."
    finally:
        socket.close(timeout=1)
    return "The stream gave no answer to the sign-in in time."


def _verdict(frame: str | bytes) -> str | None:
    """None for frames that are no answer to the sign-in."""
    body = json.loads(frame or "{}")
    if not isinstance(body, dict):
        return None
    if body.get("type") == "auth" and body.get("status") == "success":
        return ""
    if body.get("status") != "error":
        return None
    if body.get("code") == "AUTHENTICATION_ERROR":
        return "The stream refuses the key. After a change of key it can take 5 minutes until it knows the new one."
    return "The stream knows the key but has no broker session: log in at the broker on that server."
