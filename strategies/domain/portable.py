"""A strategy as a file: JSON out, and back in with every wrong place named. Accounts stay at home."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import msgspec

from algomirror.kernel.errors import Refused
from strategies.domain.drafts import Draft, faults

FORMAT: Final = "algomirror-strategy"
VERSION: Final = 1
LARGEST_BYTES: Final = 64_000
LARGEST_NUMBER: Final = 10**13
PLACE: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<where>[^`]*)`)?$", re.DOTALL)

# Made while there is one thread: see risk.domain.terms.
msgspec.json.Decoder(Draft)


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
    outer = _read(text)
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
    _judge(msgspec.to_builtins(draft, str_keys=True, builtin_types=(Decimal,)), "")
    if unknown := next(_unknown(outer["strategy"], plain(draft), ""), None):
        raise _refused(unknown, "there is no such field")
    draft = replace(draft, account_ids=(), factors={})
    wrong = faults(draft, is_template=True)
    if wrong:
        raise Refused("The file holds a strategy that cannot be saved.", fields=wrong)
    return draft


def _read(text: str | bytes) -> Any:
    try:
        outer = json.loads(text)
        _judge(outer.get("strategy") if isinstance(outer, dict) else outer, "")
    except (ValueError, RecursionError) as error:
        raise _refused("file", "not readable as JSON") from error
    return outer


def _judge(value: Any, place: str) -> None:
    """Refused when a text cannot be stored or a number is beyond all that a strategy holds."""
    if isinstance(value, str) and not _is_storable(value):
        raise _refused(place or "file", "a text that cannot be stored")
    if isinstance(value, (int, float, Decimal)) and not _is_small(Decimal(value)):
        raise _refused(place or "file", "a number out of range")
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ():
        _judge(name, place)
        _judge(inner, f"{place}[{name}]" if isinstance(name, int) else f"{place}.{name}".strip("."))


def _is_small(number: Decimal) -> bool:
    return number.is_finite() and abs(number) < LARGEST_NUMBER


def _is_storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _unknown(given: Any, known: Any, place: str) -> Iterator[str]:
    """Places of the file that mean nothing: a misspelt limit must not become no limit."""
    if isinstance(given, dict) and isinstance(known, dict):
        for name, inner in given.items():
            here = f"{place}.{name}".strip(".")
            yield from _unknown(inner, known[name], here) if name in known else (here,)
    elif isinstance(given, list) and isinstance(known, (list, tuple)):
        for at, (one, other) in enumerate(zip(given, known, strict=False)):
            yield from _unknown(one, other, f"{place}[{at}]")


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
