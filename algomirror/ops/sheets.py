"""Tables as files: CSV lines, and an XLSX workbook written with nothing but the standard library."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias
from xml.sax.saxutils import escape

from django.http import HttpResponse, StreamingHttpResponse

Value: TypeAlias = str | int | Decimal | date | datetime | bool | None

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
# XML 1.0 cannot carry these at all, escaped or not.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# A spreadsheet would run a cell that begins so; names of strategies and reasons of brokers are typed by others.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    head: Sequence[str]
    rows: Iterable[Sequence[Value]]


class _Echo:
    def write(self, line: str) -> str:
        return line


def csv_lines(table: Table) -> Iterator[str]:
    """Line by line. Numbers are exact, unknown is empty, times are UTC in ISO form."""
    writer = csv.writer(_Echo())
    yield writer.writerow(table.head)
    for row in table.rows:
        yield writer.writerow([_text(value) for value in row])


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return str(value)


def csv_response(table: Table) -> StreamingHttpResponse:
    response = StreamingHttpResponse(csv_lines(table), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_file_name(table.name)}.csv"'
    return response


def xlsx_response(name: str, tables: Sequence[Table]) -> HttpResponse:
    response = HttpResponse(workbook(tables), content_type=XLSX)
    response["Content-Disposition"] = f'attachment; filename="{_file_name(name)}.xlsx"'
    return response


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "table"


def workbook(tables: Sequence[Table]) -> bytes:
    """One sheet per table, with a bold frozen head. Text is text: nothing is ever a formula."""
    out = io.BytesIO()
    numbers = range(1, len(tables) + 1)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", _types(numbers))
        file.writestr("_rels/.rels", _relations([(1, "officeDocument", "xl/workbook.xml")]))
        file.writestr("xl/workbook.xml", _book([table.name for table in tables]))
        sheets = [(n, "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
        file.writestr("xl/_rels/workbook.xml.rels", _relations([*sheets, (len(sheets) + 1, "styles", "styles.xml")]))
        file.writestr("xl/styles.xml", _STYLES)
        for n, table in zip(numbers, tables, strict=True):
            file.writestr(f"xl/worksheets/sheet{n}.xml", _sheet(table))
    return out.getvalue()


_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PARTS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# Cell styles: 0 plain, 1 bold, 2 money, 3 date.
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font/><font><b/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="4"><xf/>'
    '<xf fontId="1" applyFont="1"/><xf numFmtId="4" applyNumberFormat="1"/><xf numFmtId="14" applyNumberFormat="1"/>'
    "</cellXfs></styleSheet>"
)
_EPOCH = date(1899, 12, 30)


def _types(numbers: Iterable[int]) -> str:
    sheets = "".join(f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_PARTS}.worksheet+xml"/>' for n in numbers)
    return (
        f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_PARTS}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_PARTS}.styles+xml"/>{sheets}</Types>'
    )


def _relations(parts: Iterable[tuple[int, str, str]]) -> str:
    rows = "".join(f'<Relationship Id="rId{n}" Type="{_RELS}/{kind}" Target="{target}"/>' for n, kind, target in parts)
    return f'{_HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rows}</Relationships>'


def _book(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name="{escape(_SHEET_NAME.sub(" ", name)[:31], {chr(34): "&quot;"})}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in enumerate(names, start=1)
    )
    return f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELS}"><sheets>{sheets}</sheets></workbook>'


def _sheet(table: Table) -> str:
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    columns = "".join(
        f'<col min="{n}" max="{n}" width="{max(len(name) + 2, 14)}" customWidth="1"/>' for n, name in _numbered(table.head)
    )
    head = "<row>" + "".join(_words(name, style=1) for name in table.head) + "</row>"
    body = "".join("<row>" + "".join(map(_cell, row)) + "</row>" for row in table.rows)
    return (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
        f"<cols>{columns}</cols><sheetData>{head}{body}</sheetData></worksheet>"
    )


def _numbered(head: Sequence[str]) -> Iterable[tuple[int, str]]:
    return enumerate(head, start=1)


def _cell(value: Value) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, Decimal):
        return f'<c s="2"><v>{value:f}</v></c>'
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    if isinstance(value, datetime):
        return _words(value.isoformat())
    if isinstance(value, date):
        return f'<c s="3"><v>{(value - _EPOCH).days}</v></c>'
    return _words(value)


def _words(text: str, *, style: int = 0) -> str:
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape(_UNPRINTABLE.sub(" ", text))}</t></is></c>'
