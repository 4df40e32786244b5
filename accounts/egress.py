"""From which address a broker sees an account's orders come, as far as that can be known from here.

Orders leave from the account's OpenAlgo server. When its address is a public one, that is what the broker sees of an
ordinary server; when it stands on this machine or beside it, they leave through this network's own address.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

from accounts.models import Account


def addresses_of(account: Account) -> frozenset[str]:
    """Every address it may be; empty when it cannot be known. Asks the name service."""
    parts = urlsplit(account.host_url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    known = {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}
    if known and all(address.is_global for address in known):
        return frozenset(str(address) for address in known)
    return frozenset(settings.EGRESS_ADDRESSES)
