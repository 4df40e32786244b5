"""A table that a person brings as a file, and what it would change. Nothing is saved before they saw it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from xml.etree import ElementTree

from algomirror.kernel.errors import Refused

MOST_BYTES, MOST_ROWS, MOST_UNPACKED = 1_000_000, 2_000, 8_000_000
_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_EXCEL_BEGINS = date(1899, 12, 30)

Line = dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """`before` "" adds the row; equal to `after` when the file says nothing new."""

    key: str
    before: str
    after: str

    @property
    def act(self) -> str:
        return "SAME" if self.before == self.after else "CHANGE" if self.before else "ADD"


def read(name: str, raw: bytes, columns: Sequence[str]) -> list[Line]:
    """Lines of a CSV or XLSX file by its own headings. Refused when it is none, too large, or lacks a column."""
    if len(raw) > MOST_BYTES:
        raise _refused(f"The file is larger than {MOST_BYTES // 1_000_000} MB.")
    rows = list(_sheet(raw) if name.lower().endswith(".xlsx") else _text(raw))
    if not rows:
        raise _refused("The file is empty.")
    heads = [re.sub(r"\W+", "_", head.strip().lower()).strip("_") for head in rows[0]]
    if missing := [column for column in columns if column not in heads]:
        raise _refused(f"The first line must name these columns: {', '.join(columns)}. Missing: {', '.join(missing)}.")
    lines = [dict(zip(heads, (cell.strip() for cell in row), strict=False)) for row in rows[1:] if any(c.strip() for c in row)]
    if not lines or len(lines) > MOST_ROWS:
        raise _refused(f"1 to {MOST_ROWS} lines below the headings, there are {len(lines)}.")
    return [{column: line.get(column, "") for column in columns} for line in lines]


def _refused(what: str) -> Refused:
    return Refused("The file was not read.", fields={"file": what})


def _text(raw: bytes) -> Iterator[list[str]]:
    try:
        text = raw.decode("utf-8-sig")
        yield from csv.reader(io.StringIO(text, newline=""), strict=True)
    except (UnicodeDecodeError, csv.Error):
        raise _refused("This is no CSV in UTF-8, and no XLSX by its name.") from None


def _sheet(raw: bytes) -> Iterator[list[str]]:
    """The first sheet of a workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as book:
            if sum(part.file_size for part in book.infolist()) > MOST_UNPACKED:
                raise _refused("The workbook unpacks to too much.")
            names = book.namelist()
            shared = _shared(book.read("xl/sharedStrings.xml")) if "xl/sharedStrings.xml" in names else []
            first = min(name for name in names if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name))
            root = _xml(book.read(first))
    except (zipfile.BadZipFile, ValueError, KeyError, ElementTree.ParseError, NotImplementedError, RuntimeError, EOFError):
        raise _refused("This is no XLSX workbook.") from None
    for row in root.iter(f"{_NS}row"):
        yield _cells(row, shared)


def _xml(raw: bytes) -> ElementTree.Element:
    """Without entities: a small file must not unfold into a large one."""
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise ValueError
    return ElementTree.fromstring(raw)


def _shared(raw: bytes) -> list[str]:
    return ["".join(t.text or "" for t in one.iter(f"{_NS}t")) for one in _xml(raw).iter(f"{_NS}si")]


def _cells(row: ElementTree.Element, shared: Sequence[str]) -> list[str]:
    found: list[str] = []
    for cell in row.iter(f"{_NS}c"):
        found += [""] * (_column(cell.get("r", "")) - len(found))
        value = cell.find(f"{_NS}v")
        text = "" if value is None else value.text or ""
        if cell.get("t") == "s":
            text = shared[int(text)] if text.isdecimal() and int(text) < len(shared) else ""
        elif cell.get("t") == "inlineStr":
            text = "".join(t.text or "" for t in cell.iter(f"{_NS}t"))
        elif cell.get("t") == "b":
            text = "yes" if text == "1" else "no"
        found.append(text)
    return found


def _column(place: str) -> int:
    """ "C7" is the third column, 2; at most a few hundred, whatever the file claims."""
    number = 0
    for letter in re.match(r"[A-Z]{0,3}", place)[0]:  # type: ignore[index]
        number = number * 26 + ord(letter) - 64
    return min(max(number - 1, 0), 300)


def day(text: str) -> str:
    """A date cell as ISO text: workbooks hold days as numbers."""
    return (_EXCEL_BEGINS + timedelta(days=int(float(text)))).isoformat() if re.fullmatch(r"\d{5}(\.0)?", text) else text


def is_yes(text: str) -> bool:
    return text.strip().lower() in ("1", "yes", "y", "true")


def faults(found: Mapping[int, Mapping[str, str]]) -> None:
    """Raise Refused that names the first wrong lines; line 2 is the first below the headings."""
    if found:
        said = "; ".join(
            f"line {n + 2}: {', '.join(f'{k} {v}' for k, v in what.items())}" for n, what in list(found.items())[:10]
        )
        more = f"; and {len(found) - 10} more lines" if len(found) > 10 else ""
        raise _refused(said + more)


def seal(lines: Sequence[Line], changes: Sequence[Change]) -> str:
    """What the person saw; approving anything else is a conflict."""
    told = json.dumps([list(lines), [(c.key, c.before, c.after) for c in changes]], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def kept(text: str, columns: Sequence[str]) -> list[Line]:
    """Lines as the preview's page carried them."""
    try:
        lines = json.loads(text)
        good = isinstance(lines, list) and 0 < len(lines) <= MOST_ROWS
        good = good and all(isinstance(one, dict) and all(isinstance(one.get(c), str) for c in columns) for one in lines)
    except (ValueError, RecursionError):
        good = False
    if not good:
        raise _refused("The preview was not understood; choose the file again.")
    return [{column: one[column] for column in columns} for one in lines]
