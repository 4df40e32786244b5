from __future__ import annotations

import ast
import re

from tests.architecture.source import ROOT, dotted, tree

SETTINGS = ROOT / "algomirror/settings.py"
TABLE = ROOT / "docs/SETTINGS.md"

READERS = {f"env.{kind}" for kind in ("str", "int", "float", "bool", "list", "one_of", "folder")}


def _read() -> dict[str, str]:
    """Each variable that settings.py reads, with its default as the source says it ("required" for none)."""
    found: dict[str, str] = {}
    for node in ast.walk(tree(SETTINGS)):
        if isinstance(node, ast.Call) and dotted(node.func) in READERS and node.args:
            name = node.args[0]
            assert isinstance(name, ast.Constant), "a setting's name must be written out"
            default = next((k.value for k in node.keywords if k.arg == "default"), None)
            if dotted(node.func) == "env.one_of" and isinstance(node.args[1], ast.Tuple):
                default = node.args[1].elts[0]
            found[str(name.value)] = "required" if default is None else ast.unparse(default)
    return found


def _documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| .+ \|$", TABLE.read_text(), re.M)
    return {name: default.strip("`") for name, default in rows}


def test_every_variable_is_in_the_table_with_its_default() -> None:
    read, documented = _read(), _documented()
    assert sorted(read) == sorted(n for n in documented if n not in {"ALGOMIRROR_CLOCK_OFFSET_S", "Q_CLUSTER_NAME"})
    for name, default in read.items():
        if default.startswith(("[", "str(")):
            continue  # lists and places are described in words
        assert documented[name] == default.strip("'\"") or (default in ("''", '""') and documented[name] == "empty"), name


def test_no_secret_has_a_default() -> None:
    read = _read()
    assert {name for name, default in read.items() if default == "required"} == {"DJANGO_SECRET_KEY", "ALGOMIRROR_FERNET_KEYS"}
