"""The shipped nginx.conf in front of daphne: TLS, pages, files, the socket, and who is really asking."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import apart, migrated
from tests.e2e.house import ROOT
from tests.environment import free_ports, start_redis
from tests.patience import PATIENCE_S, wait_for

pytestmark = pytest.mark.processes
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PASSWORD = "Front-Door-7-Keys"
# Another of this machine's own addresses, so that the proxy's address and the browser's differ.
BROWSER = "127.0.0.9"


class Front:
    def __init__(self, var: Path) -> None:
        self.var, base = var, free_ports(4)
        self.web, self.http, self.https = base, base + 1, base + 2
        self.origin = f"https://localhost:{self.https}"
        self._env = apart.environment(
            var,
            REDIS_URL=start_redis(),
            HTTPS="true",
            ALLOWED_HOSTS="localhost,127.0.0.1",
            CSRF_TRUSTED_ORIGINS=self.origin,
            TRUSTED_PROXIES="127.0.0.1",
        )
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        migrated.copy_to(self.var / "algomirror.sqlite3")
        line = [sys.executable, "manage.py", "collectstatic", "--no-input", "-v", "0"]
        subprocess.run(line, cwd=ROOT, env=self._env, check=True, capture_output=True, timeout=PATIENCE_S)
        self._run(
            sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.web), "-v", "0", "algomirror.asgi:application"
        )
        assert NGINX is not None
        self._run(NGINX, "-c", str(self._conf()), "-p", str(self.var), "-g", "daemon off;")
        wait_for(lambda: self.ask("/healthz").status_code == 200, "nginx and daphne to answer", self.tail)

    def _run(self, *line: str) -> None:
        log = (self.var / f"{Path(line[0]).name}.log").open("ab")
        self._processes.append(subprocess.Popen(line, cwd=ROOT, env=self._env, stdout=log, stderr=log))

    def _conf(self) -> Path:
        """The file as it is shipped, with this machine's ports and places put in."""
        _certificate(self.var)
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for was, becomes in (
            ("server web:8000;", f"server 127.0.0.1:{self.web};"),
            ("listen 80;", f"listen 127.0.0.1:{self.http};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.https} ssl"),
            ("/etc/nginx/tls/", f"{self.var}/"),
        ):
            assert was in text, was
            text = text.replace(was, becomes)
        places = "".join(f"{name}_temp_path {self.var}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        whole = f"pid {self.var}/nginx.pid; events {{}} http {{ access_log off; {places} {text} }}"
        path = self.var / "nginx.conf"
        path.write_text(whole)
        return path

    def browser(self) -> httpx.Client:
        trust = ssl.create_default_context(cafile=str(self.var / "fullchain.pem"))
        transport = httpx.HTTPTransport(verify=trust, local_address=BROWSER)
        return httpx.Client(base_url=self.origin, transport=transport, headers={"Referer": f"{self.origin}/"}, timeout=PATIENCE_S)

    def ask(self, path: str, **headers: str) -> httpx.Response:
        with self.browser() as client:
            return client.get(path, headers=headers)

    def tail(self) -> str:
        return "\n".join(p.read_text(errors="replace")[-800:] for p in sorted(self.var.glob("*.log")))

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def _certificate(var: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (var / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (var / "privkey.pem").write_bytes(key.private_bytes(*plain))


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    if NGINX is None:
        pytest.skip("nginx is not installed: bin/system-packages nginx")
    made = Front(tmp_path_factory.mktemp("front"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def registered(front: Front, client: httpx.Client) -> httpx.Response:
    page = client.get("/register")
    code = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert code is not None, page.text[:400]
    typed = {"username": "alice", "email": "alice@example.com", "password": PASSWORD, "again": PASSWORD}
    told = {"csrfmiddlewaretoken": code[1], **typed}
    # Who claims to be somebody else is not believed: nginx overwrites it.
    return client.post("/register", data=told, headers={"X-Forwarded-For": "203.0.113.66"})


def test_plain_http_is_sent_to_https(front: Front) -> None:
    answer = httpx.get(
        f"http://127.0.0.1:{front.http}/login?next=/runs", headers={"Host": "desk.example.org"}, timeout=PATIENCE_S
    )
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://desk.example.org/login?next=/runs")


def test_pages_and_files_come_through_with_their_headers(front: Front) -> None:
    page = front.ask("/login")
    assert page.status_code == 200 and "max-age" in page.headers["Strict-Transport-Security"]
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert "Secure" in page.headers["Set-Cookie"]
    files = sorted(set(re.findall(r'(?:href|src)="(/static/[^"?]+\.(?:css|js))"', page.text)))
    assert files
    for file in files:
        answer = front.ask(file)
        assert answer.status_code == 200 and "immutable" in answer.headers["Cache-Control"], file


def test_figures_are_closed_to_the_world_and_readiness_is_not(front: Front) -> None:
    assert front.ask("/metrics").status_code == 403
    assert front.ask("/readyz").status_code in (200, 503)


def test_a_body_that_is_too_large_is_turned_away_before_it_costs_anything(front: Front) -> None:
    with front.browser() as client:
        assert client.post("/login", content=b"x" * 7_000_000).status_code == 413


async def _socket(front: Front, cookie: str, say: str) -> Any:
    trust = ssl.create_default_context(cafile=str(front.var / "fullchain.pem"))
    headers = {"Cookie": cookie} if cookie else {}
    url = f"wss://localhost:{front.https}/ws"
    async with websockets.connect(
        url, ssl=trust, additional_headers=headers, origin=front.origin, open_timeout=PATIENCE_S
    ) as wire:  # type: ignore[arg-type]
        try:
            await wire.send(say)
            return await asyncio.wait_for(wire.recv(), PATIENCE_S)
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


async def test_the_socket_upgrades_and_knows_who_is_signed_in(front: Front) -> None:
    assert await _socket(front, "", '{"op": "ping"}') == 4401
    with front.browser() as client:
        made = registered(front, client)
        assert made.status_code == 302, made.text[:600]
        sessions = client.get("/profile").text
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert BROWSER in sessions and "203.0.113.66" not in sessions, "the session's address is the browser's, as nginx saw it"
    assert '"pong"' in await _socket(front, cookie, '{"op": "ping"}')


async def test_another_site_opens_no_socket(front: Front) -> None:
    trust = ssl.create_default_context(cafile=str(front.var / "fullchain.pem"))
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(
            f"wss://localhost:{front.https}/ws", ssl=trust, origin="https://evil.example", open_timeout=PATIENCE_S
        )  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
