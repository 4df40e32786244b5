"""A strategy as a file: JSON out, and back in with every wrong place named. Accounts stay at home."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final

import msgspec

from algomirror.kernel.errors import Refused
from strategies.domain.drafts import Draft, faults

FORMAT: Final = "algomirror-strategy"
VERSION: Final = 1
LARGEST_BYTES: Final = 64_000
PLACE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<where>[^`]*)`)?$", re.DOTALL)


def plain(draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(draft, str_keys=True)
    return found


def to_text(draft: Draft) -> str:
    content = plain(replace(draft, account_ids=(), factors={}))
    return json.dumps({"format": FORMAT, "version": VERSION, "strategy": content}, indent=2, ensure_ascii=False) + "\n"


def from_text(text: str | bytes) -> Draft:
    """The draft in a file, without accounts. Refused with the place and the reason for whatever is wrong."""
    if len(text) > LARGEST_BYTES:
        raise _refused("file", f"larger than {LARGEST_BYTES // 1000} kB")
    try:
        outer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused("file", "not readable as JSON") from error
    if not isinstance(outer, dict) or outer.get("format") != FORMAT:
        raise _refused("format", f"not a file of format {FORMAT}")
    if outer.get("version") != VERSION:
        raise _refused("version", f"version {VERSION} is understood")
    try:
        draft = msgspec.convert(outer.get("strategy"), Draft, str_keys=True)
    except msgspec.ValidationError as error:
        found = PLACE.match(str(error))
        where = (found["where"] or "").strip(".") if found else ""
        raise _refused(where or "strategy", found["what"] if found else str(error)) from error
    draft = replace(draft, account_ids=(), factors={})
    wrong = faults(draft, is_template=True)
    if wrong:
        raise Refused("The file holds a strategy that cannot be saved.", fields=wrong)
    return draft


def _refused(place: str, what: str) -> Refused:
    return Refused("The file was not understood.", fields={place: what})


def differences(old: Draft, new: Draft) -> list[tuple[str, str, str]]:
    """Field by field what is not the same, in the order of the fields; an absent one is an empty text."""
    before, after = dict(_flat(plain(old))), dict(_flat(plain(new)))
    names = [*before, *(name for name in after if name not in before)]
    return [(name, before.get(name, ""), after.get(name, "")) for name in names if before.get(name, "") != after.get(name, "")]


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        inner = {str(at): item for at, item in enumerate(value, start=1)}.items()
    elif isinstance(value, list | tuple):
        return [(name, ", ".join(map(str, value)))]
    else:
        return [(name, "" if value is None else str(value))]
    return [pair for key, item in inner for pair in _flat(item, f"{name} {key}".strip())]
