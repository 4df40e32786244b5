from __future__ import annotations

from typing import Any

import pytest

from accounts import addresses
from accounts.services.connection import try_connection
from algomirror.kernel.errors import Refused
from simulator.world import World


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://algo.example.com/", "https://algo.example.com"),
        ("  http://openalgo:5000 ", "http://openalgo:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_a_host_address_is_kept_without_trailing_slash(typed: str, kept: str) -> None:
    assert addresses.host_url(typed) == kept


def test_a_stream_may_live_under_a_path() -> None:
    assert addresses.websocket_url("wss://algo.example.com/ws/") == "wss://algo.example.com/ws"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "127.0.0.1:5000",
        "file:///etc/passwd",
        "http://",
        "http://:5000",
        "http://a b",
        "http://x@127.0.0.1",
        "http://h/path",
        "http://h?x=1",
        "http://h#x",
        "http://h:0",
        "http://h:70000",
        "http://[::1",
        "http://169.254.169.254",
        "http://[fe80::1]",
        "http://[fd00:ec2::254]",
        "http://0.0.0.0",
        "http://224.0.0.1",
        "http://" + "h" * 300,
        "http://पता.example",
    ],
)
def test_what_is_no_server_address_is_refused(typed: str) -> None:
    with pytest.raises(Refused) as caught:
        addresses.host_url(typed)
    assert "host_url" in caught.value.fields


@pytest.mark.parametrize("sneaky", ["http://2852039166", "http://0xA9FEA9FE", "http://0251.0376.0251.0376"])
def test_metadata_addresses_written_oddly_are_caught_when_resolved(sneaky: str) -> None:
    assert addresses.check_resolved(sneaky)


def test_private_addresses_need_the_setting(settings: Any) -> None:
    assert addresses.check_resolved("http://127.0.0.1:5000") == ""
    settings.ALLOW_PRIVATE_HOSTS = False
    assert "ALLOW_PRIVATE_HOSTS" in addresses.check_resolved("http://127.0.0.1:5000")
    assert "ALLOW_PRIVATE_HOSTS" in addresses.check_resolved("http://[::ffff:10.0.0.1]")


def test_a_name_that_is_not_known_is_said(world: World) -> None:
    tried = try_connection(host_url="http://no-such-host.invalid", websocket_url="ws://127.0.0.1:1", key="k" * 20)
    assert not tried.is_good and tried.trouble == "Address: This host name is not known: check its spelling."
    assert [s.is_good for s in tried.steps] == [False, None, None, None, None]
