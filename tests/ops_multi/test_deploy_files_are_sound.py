from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from algomirror.settings import BASE_DIR

DEPLOY = BASE_DIR / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def called(text: str) -> set[str]:
    """Every management command that is called."""
    return set(re.findall(r"manage\.py[, ]+(\w+)", text))


def test_every_command_that_is_called_exists() -> None:
    texts = [(DEPLOY / "compose.yaml").read_text(), *(unit.read_text() for unit in UNITS)]
    names = set().union(*(called(text) for text in texts))
    assert names >= {"migrate", "run_feed", "run_metronome", "run_cluster", "backup"}
    assert names - set(get_commands()) == set()


def test_compose_runs_every_process_of_the_house_and_believes_its_own_proxy_only() -> None:
    services = read("compose.yaml")["services"]
    assert set(services) == {
        "postgres", "redis", "prepare", "web", "feed", "metronome", "risk", "orders", "signals", "nginx"
    }  # fmt: skip
    sample = dict(line.split("=", 1) for line in (DEPLOY / "algomirror.env.sample").read_text().splitlines() if "=" in line)
    assert services["nginx"]["networks"]["default"]["ipv4_address"] == sample["TRUSTED_PROXIES"]
    ours = {name for name, one in services.items() if one.get("image") == "algomirror:local"}
    assert all(services[name]["environment"]["DATABASE_URL"].startswith("postgresql://") for name in ours)
    volumes = {volume.split(":")[0] for one in services.values() for volume in one.get("volumes", ()) if volume[0] not in "./"}
    assert volumes == set(read("compose.yaml")["volumes"])


def test_the_hour_s_copy_is_asked_for_taken_and_seen() -> None:
    """Three processes take part: metronome, signals, web."""
    services = read("compose.yaml")["services"]
    for name in ("metronome", "signals", "web"):
        assert services[name]["environment"]["BACKUP_DIR"] == "/backups", name
        assert "backups:/backups" in services[name]["volumes"], name
    cluster = (DEPLOY / "systemd" / "algomirror-cluster@.service").read_text()
    assert "ReadWritePaths=/var/lib/algomirror -/var/backups/algomirror" in cluster


def test_nobody_is_given_the_address_of_the_proxy() -> None:
    compose = read("compose.yaml")
    (pool,) = compose["networks"]["default"]["ipam"]["config"]
    address = ip_address(compose["services"]["nginx"]["networks"]["default"]["ipv4_address"])
    assert address in ip_network(pool["subnet"]) and address not in ip_network(pool["ip_range"])


def test_no_secret_of_this_machine_becomes_part_of_the_image_or_the_history() -> None:
    ignored = (BASE_DIR / ".dockerignore").read_text().split()
    assert {".env", "**/*.env", "deploy/tls", "var", ".git"} <= set(ignored)
    for name in (".env", "deploy/algomirror.env", "deploy/tls/privkey.pem", "var/demo.env"):
        done = subprocess.run(["git", "check-ignore", "-q", name], cwd=BASE_DIR, check=False, timeout=30)
        assert done.returncode in (0, 128), f"{name} could be committed"  # 128: not a checkout


def test_the_sample_names_known_settings_only() -> None:
    known = (BASE_DIR / "docs" / "SETTINGS.md").read_text()
    names = re.findall(r"^([A-Z_]+)=", (DEPLOY / "algomirror.env.sample").read_text(), re.MULTILINE)
    assert [name for name in names if f"`{name}`" not in known and name != "POSTGRES_PASSWORD"] == []


def test_every_rule_of_the_second_pair_of_eyes_can_be_read() -> None:
    rules = read("alerts.yml")["groups"][0]["rules"]
    assert len(rules) >= 9
    assert all({"alert", "expr"} <= set(rule) <= {"alert", "expr", "for"} and rule["expr"].strip() for rule in rules)
    assert read("prometheus.yml")["scrape_configs"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_closed_in_and_start_what_is_there(unit: Path) -> None:
    parsed = ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string(unit.read_text())
    assert parsed["Unit"]["Description"].startswith("AlgoMirror")
    if unit.suffix != ".service":
        return
    service = parsed["Service"]
    assert service["User"] == "algomirror" and service["ProtectSystem"] == "strict" and service["NoNewPrivileges"] == "true"
    assert "/var/lib/algomirror" in service["ReadWritePaths"]
    if service.get("Type") != "oneshot":
        assert service["Restart"] == "always" and parsed["Unit"]["StartLimitIntervalSec"] == "0"
        assert "algomirror-prepare.service" in parsed["Unit"]["Requires"]


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    """But for the programs, which are where an installation puts them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    for unit in UNITS:
        (tmp_path / unit.name.replace("@", "@8001")).write_text(unit.read_text())
    for name in sorted(path.name for path in tmp_path.iterdir()):
        done = subprocess.run(
            ["systemd-analyze", "verify", f"./{name}"], cwd=tmp_path, capture_output=True, text=True, timeout=30
        )
        wrong = [line for line in done.stderr.splitlines() if line.strip() and "is not executable" not in line]
        assert [line for line in wrong if "algomirror" in line] == []
