"""Is a port free, does something answer on it."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping

from algomirror.kernel.errors import Misconfigured


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(wanted: Mapping[int, str], *, host_of: Mapping[int, str] | None = None) -> None:
    """Raise Misconfigured naming every taken port and the variable that moves it. `wanted` maps port to variable."""
    hosts = host_of or {}
    taken = {port: name for port, name in wanted.items() if not is_free(port, hosts.get(port, "127.0.0.1"))}
    if not taken:
        return
    named = ", ".join(f"{port} ({name})" for port, name in taken.items())
    other = " ".join(f"{name}={_other(name, wanted)}" for name in dict.fromkeys(taken.values()))
    raise Misconfigured(f"Already in use: port {named}. Stop what listens there, or choose another, for example {other}")


def _other(variable: str, wanted: Mapping[int, str]) -> int:
    port = min(p for p, name in wanted.items() if name == variable)
    return port + 100 if port + 100 <= 65000 else port - 100


def answers(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def serves(port: int, path: str, host: str = "127.0.0.1") -> bool:
    """True when a GET of `path` there is answered with 200."""
    connection = http.client.HTTPConnection(host, port, timeout=1.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
