"""Rules that a machine can check are checked by one. Each failure names the file and the line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.source import PRODUCT, ROOT, committed, dotted, place, python_files, tree

LONGEST_FILE = 400
LONGEST_FUNCTION = 60  # 40 is the aim
CLOCKS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "timezone.now", "timezone.localdate",
    "timezone.localtime", "time.time", "time.monotonic", "time.time_ns", "datetime.datetime.now", "datetime.date.today",
}  # fmt: skip
MAY_ASK_THE_TIME = {"algomirror/kernel/clock.py", "simulator/clock.py", "simulator/runtime.py"}  # the last paces itself


def test_no_file_is_longer_than_a_person_can_hold() -> None:
    long = [
        place(p) for p in python_files("tests", "bench", *PRODUCT, "simulator") if len(p.read_text().splitlines()) > LONGEST_FILE
    ]
    assert long == []


def test_no_function_is_two_ideas() -> None:
    long = [
        f"{place(path, node.lineno)} {node.name}"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def test_only_the_clock_knows_the_time() -> None:
    found = [
        place(path, node.lineno)
        for path in python_files()
        if place(path) not in MAY_ASK_THE_TIME
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and dotted(node.func) in CLOCKS
    ]
    assert found == []


def test_india_time_is_used_by_sessions_logs_and_the_clock_only() -> None:
    allowed = re.compile(r"^(algomirror/kernel/clock|algomirror/ops/logs|algomirror/frame/templatetags/|marketdata/|simulator/)")
    found = [place(p) for p in python_files() if not allowed.match(place(p)) and re.search(r"\bIST\b\s*[,)\]]", p.read_text())]
    assert found == []


def test_nothing_prints() -> None:
    found = [
        place(path, node.lineno)
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and dotted(node.func) == "print"
    ]
    assert found == []


def test_a_broad_except_logs_what_it_caught() -> None:
    """`except Exception` belongs to main loops: it must record, with its traceback, and never answer with a value."""
    found = []
    for path in python_files():
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler) or not _is_broad(node):
                continue
            records = any(
                isinstance(n, ast.Call) and dotted(n.func).endswith((".exception", "_complain")) for n in ast.walk(node)
            )
            raises = any(isinstance(n, ast.Raise) for n in ast.walk(node))
            marked = "noqa: BLE001" in path.read_text().splitlines()[node.lineno - 1]
            if not (records or raises or marked):
                found.append(place(path, node.lineno))
    assert found == []


def _is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or dotted(handler.type) in ("Exception", "BaseException")


def test_claims_are_compare_and_set_never_row_locks() -> None:
    found = [place(p) for p in python_files(*PRODUCT) if "select_for_update" in p.read_text()]
    assert found == []


def test_no_room_is_called_after_nothing() -> None:
    nameless = {"utils", "helpers", "helper", "manager", "common", "misc"}
    assert [place(p) for p in python_files() if p.stem in nameless or p.parent.name in nameless] == []


def test_models_override_no_save_and_send_no_signals() -> None:
    found = []
    for path in python_files(*PRODUCT):
        if path.name != "models.py" and path.parent.name != "models":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.name == "save":
                found.append(place(path, node.lineno))
    assert found == []
    assert [
        place(p)
        for p in python_files(*PRODUCT)
        if re.search(r"^from django\.(db\.models|dispatch).*\breceiver\b", p.read_text(), re.M)
    ] == []


def test_no_setting_is_read_from_the_environment_outside_settings() -> None:
    """One exception each: the kernel knows no Django; a cluster's name must be there before Django is; the demo
    prepares it; what we start inherits what we were given."""
    allowed = {
        "algomirror/settings.py",
        "algomirror/asgi.py",
        "algomirror/kernel/clock.py",
        "algomirror/demo/environment.py",
        "algomirror/ops/management/commands/run_cluster.py",
        "algomirror/ops/supervisor/child.py",
        "algomirror/ops/drill.py",
        "accounts/management/commands/create_owner.py",
    }
    found = [
        place(path, node.lineno)
        for path in python_files(*PRODUCT)
        if place(path) not in allowed
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and dotted(node) in ("os.environ", "os.getenv")
    ]
    assert found == []


SWEEPING = ("closeposition", "cancelallorder", "splitorder", "basketorder", "placesmartorder")


@pytest.mark.parametrize("verb", SWEEPING)
def test_the_gateway_does_not_know_verbs_that_sweep_over_what_is_not_ours(verb: str) -> None:
    """They close or cancel what other books own, and answer for many orders with one word."""
    assert [place(p) for p in python_files("accounts", "trading") if verb in p.read_text().lower()] == []


def test_only_the_gateway_opens_connections_to_brokers() -> None:
    """REST through accounts.gateway; sockets through the feed; the connection test may try a socket."""
    allowed = re.compile(r"^(accounts/gateway/|marketdata/feed/|simulator/|algomirror/ops/(alerts/wire|supervisor/ports)\.py$)")
    wire = re.compile(r"^\s*(import|from) (httpx|http\.client|requests|urllib3|aiohttp|websocket|websockets|openalgo)\b", re.M)
    assert [place(p) for p in python_files() if not allowed.match(place(p)) and wire.search(p.read_text())] == []


TEXT = {".py", ".md", ".txt", ".toml", ".lock", ".json", ".yml", ".yaml", ".sh", ".cfg", ".ini", ".html", ".js", ".pcss", ""}


def test_no_committed_file_names_a_package_host_or_a_machine() -> None:
    """Installing must work wherever the machine is told to find packages."""
    # Written apart so that this file does not find itself.
    words = [
        "registry." + "npmjs.org",
        "files." + "pythonhosted.org",
        "pypi." + "org/simple",
        "/work" + "/main",
        "/root" + "/.pyenv",
        "--index" + "-url",
        "--extra-index" + "-url",
    ]
    found = []
    for path in committed():
        if path.suffix not in TEXT or path.is_relative_to(ROOT / "static/vendor"):
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [f"{place(path)}: {word}" for word in words if word in text]
    assert found == []


def test_scripts_that_are_run_directly_are_executable() -> None:
    for script in (ROOT / ".ci/run", ROOT / "manage.py", *sorted((ROOT / "bin").iterdir())):
        assert script.stat().st_mode & 0o111, place(script)


def test_templates_hold_no_inline_script_or_style() -> None:
    """The content security policy would silently not run them."""
    inline = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")|\sstyle=|\son[a-z]+=\"|javascript:", re.I)
    found = [
        place(path, number)
        for path in committed()
        if path.suffix == ".html" and "admin" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if inline.search(line)
    ]
    assert found == []


def test_every_python_file_is_known_to_git_or_will_be() -> None:
    assert all(isinstance(p, Path) for p in committed())
    assert any(place(p) == "manage.py" for p in committed())
