"""Which addresses an account's server may have. Outgoing calls are bounded here."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from algomirror.kernel.errors import Refused

_USUAL_PORT = {"host_url": 5000, "websocket_url": 8765}
IP = ipaddress.IPv4Address | ipaddress.IPv6Address
# Where clouds keep their machines' credentials, besides the link-local range.
METADATA = frozenset({"fd00:ec2::254", "100.100.100.200", "192.0.0.192"})


def host_url(text: str) -> str:
    """`http(s)://host[:port]`, normalised. Raises Refused with the field name."""
    parts = _split(text, "host_url", ("http", "https"))
    if parts.path.strip("/"):
        raise _refused("host_url", "Give only the address, without a path: /api/v1 is added by us.")
    return f"{parts.scheme}://{parts.netloc}"


def websocket_url(text: str) -> str:
    """`ws(s)://host[:port][/path]`: behind the usual proxy the stream lives under /ws."""
    parts = _split(text, "websocket_url", ("ws", "wss"))
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _split(text: str, field: str, schemes: tuple[str, str]) -> SplitResult:
    shown = " or ".join(f"{s}://" for s in schemes)
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refused(field, "This is no address.") from None
    if parts.scheme not in schemes:
        raise _refused(field, f"The address must start with {shown}, like {schemes[0]}://127.0.0.1:{_USUAL_PORT[field]}")
    if not host or len(text) > 200 or not host.isascii() or any(c.isspace() for c in text.strip()):
        raise _refused(field, "The address has no usable host name.")
    if parts.username is not None or parts.password is not None:
        raise _refused(field, "No user name or password in the address.")
    if parts.query or parts.fragment:
        raise _refused(field, "Nothing after ? or # in the address.")
    if port == 0:
        raise _refused(field, "Port 0 is no port.")
    literal = _literal(host)
    if literal is not None and (why := forbidden(literal)):
        raise _refused(field, why)
    return parts


def _refused(field: str, what: str) -> Refused:
    return Refused(what, fields={field: what})


def _literal(host: str) -> IP | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def forbidden(address: IP) -> str:
    """Why no server of ours may be there; "" when it may."""
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    real = inner or address
    nowhere = real.is_link_local or real.is_multicast or real.is_unspecified or str(real) in METADATA
    # The library counts ::1 among the reserved.
    if nowhere or (real.is_reserved and not real.is_loopback):
        return "This address is never allowed (link-local, metadata or no real host)."
    if not real.is_global and not settings.ALLOW_PRIVATE_HOSTS:
        return "Private addresses are not allowed in this installation (ALLOW_PRIVATE_HOSTS)."
    return ""


def check_resolved(url: str) -> str:
    """Why the name must not be called, judged by every address it resolves to; "" when it may. Asks the network."""
    parts = urlsplit(url)
    default = 443 if parts.scheme in ("https", "wss") else 80
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or default, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return "This host name is not known: check its spelling."
    for entry in found:
        why = forbidden(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]))
        if why:
            return why
    return ""


def is_local(url: str) -> bool:
    """Whether the name is an address of this machine or of a private network."""
    literal = _literal(urlsplit(url).hostname or "")
    return urlsplit(url).hostname == "localhost" or (literal is not None and not literal.is_global)


def trouble(url: str) -> str:
    """Why nothing may be sent to this address, with or without a path; "" when it may. Asks the network."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return "The address must be a plain http:// or https:// address."
    return check_resolved(url)
