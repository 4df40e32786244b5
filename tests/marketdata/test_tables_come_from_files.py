"""Contract terms and margin figures by CSV or XLSX: shown first, saved when it is still what was shown."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from algomirror.kernel.errors import Refused
from algomirror.ops import imports
from algomirror.ops.models import Journal
from marketdata.models import ContractSpec, Underlying
from risk.models import MarginRequirement
from risk.services import margins
from tests import cast
from tests.page_rules import inline_parts

pytestmark = pytest.mark.django_db
TERMS, FIGURES = "/settings/instruments/file", "/margin/requirements/file"
HEAD = "underlying,expiring_from,expiring_to,lot_units,freeze_units,tick,source,confirmed"


@pytest.fixture
def nifty() -> Underlying:
    return Underlying.objects.create(symbol="NIFTY", index_exchange="NSE_INDEX", derivative_exchange="NFO", strike_step=50)


@pytest.fixture
def browser(nifty: Underlying) -> Client:
    return cast.signed_in(cast.alice())


def sent(browser: Client, url: str, text: str | bytes, name: str = "table.csv") -> Any:
    return browser.post(url, {"file": SimpleUploadedFile(name, text.encode() if isinstance(text, str) else text)})


def hidden(answer: Any) -> dict[str, str]:
    return {"lines": answer.context["lines"], "seal": answer.context["seal"]}


def workbook(*rows: tuple[str | int, ...]) -> bytes:
    """As spreadsheets write it: texts shared, numbers bare, empty cells left out."""
    texts = sorted({cell for row in rows for cell in row if isinstance(cell, str) and cell})
    body = ""
    for at, row in enumerate(rows, 1):
        cells = "".join(
            f'<c r="{chr(65 + n)}{at}"><v>{cell}</v></c>' if isinstance(cell, int)
            else f'<c r="{chr(65 + n)}{at}" t="s"><v>{texts.index(cell)}</v></c>'
            for n, cell in enumerate(row) if cell != ""
        )  # fmt: skip
        body += f'<row r="{at}">{cells}</row>'
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{''.join(f'<si><t>{t}</t></si>' for t in texts)}</sst>")
        book.writestr("xl/worksheets/sheet1.xml", f"<worksheet {space}><sheetData>{body}</sheetData></worksheet>")
    return out.getvalue()


def test_terms_are_shown_then_saved_and_journaled(browser: Client, nifty: Underlying) -> None:
    given = {"expiring_to": None, "freeze_units": 1800, "tick": Decimal("0.05"), "source": "circular 1"}
    ContractSpec.objects.create(underlying=nifty, expiring_from="2026-01-01", lot_units=75, **given)
    ContractSpec.objects.create(underlying=nifty, expiring_from="2025-01-01", lot_units=75, **given)
    text = f"""{HEAD}
NIFTY,2026-01-01,,65,1800,0.05,circular 2,yes
NIFTY,2025-01-01,,75,1800,0.05,circular 1,yes
NIFTY,2027-01-01,2027-12-31,50,1800,0.05,circular 3,no
"""
    page = sent(browser, TERMS, text)
    assert page.status_code == 200 and inline_parts(page) == []
    assert [(c.act, c.key) for c in page.context["changes"]] == [
        ("CHANGE", "NIFTY from 2026-01-01"), ("ADD", "NIFTY from 2027-01-01")
    ]  # fmt: skip
    assert page.context["same"] == 1
    assert ContractSpec.objects.count() == 2, "looking saves nothing"
    assert browser.post(f"{TERMS}/approve", hidden(page)).status_code == 302
    assert dict(ContractSpec.objects.values_list("source", "lot_units")) == {"circular 2": 65, "circular 1": 75, "circular 3": 50}
    assert Journal.objects.filter(kind__startswith="reference").count() == 2
    again = sent(browser, TERMS, text)
    assert again.context["changes"] == [] and b"No difference" in again.content


def test_a_workbook_says_the_same_as_a_csv(browser: Client) -> None:
    """Days are numbers there: 46023 is 1 January 2026."""
    book = workbook(tuple(HEAD.split(",")), ("nifty", 46023, "", 65, 1800, "0.05", "circular", "yes"))
    page = sent(browser, TERMS, book, "terms.xlsx")
    assert page.status_code == 200, page.content.decode()[:500]
    browser.post(f"{TERMS}/approve", hidden(page))
    spec = ContractSpec.objects.get()
    assert (str(spec.expiring_from), spec.lot_units, spec.expiring_to, spec.confirmed) == ("2026-01-01", 65, None, True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("BANKEX,2026-01-01,,65,1800,0.05,c,yes", "line 2: underlying"),
        ("NIFTY,soon,,65,1800,0.05,c,yes", "expiring_from"),
        ("NIFTY,2026-01-01,2025-01-01,65,1800,0.05,c,yes", "expiring_to The last day"),
        ("NIFTY,2026-01-01,,0,1800,0.05,c,yes", "lot_units"),
        ("NIFTY,2026-01-01,,65,1,0.05,c,yes", "freeze_units"),
        ("NIFTY,2026-01-01,,65,1800,0.05,,yes", "source"),
        ("NIFTY,2026-01-01,,65,1800,0.05,c,yes\nNIFTY,2026-01-01,,66,1800,0.05,c,yes", "line 3: underlying the same terms"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_shown_to_approve(browser: Client, line: str, says: str) -> None:
    answer = sent(browser, TERMS, f"{HEAD}\n{line}\n")
    assert answer.status_code == 422 and says in answer.content.decode(), answer.content.decode()[-600:]


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("x.csv", b"", "empty"),
        ("x.csv", b"\xff\xfe\x00", "no CSV in UTF-8"),
        ("x.csv", b"underlying,kind\nNIFTY,X\n", "Missing: expiring_from"),
        ("x.csv", HEAD.encode(), "1 to 2000 lines"),
        ("x.csv", b"a" * 1_000_001, "larger than 1 MB"),
        ("x.xlsx", b"PK not really", "no XLSX workbook"),
    ],
)
def test_a_file_that_is_none_is_refused_with_words(browser: Client, name: str, raw: bytes, says: str) -> None:
    answer = sent(browser, TERMS, raw, name)
    assert answer.status_code == 422 and says in answer.content.decode()


def test_a_workbook_that_unfolds_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", b"0" * (imports.MOST_UNPACKED + 1))
    with pytest.raises(Refused, match="not read"):
        imports.read("x.xlsx", out.getvalue(), ("a",))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    with pytest.raises(Refused):
        imports.read("x.xlsx", bomb.getvalue(), ("a",))


def test_what_changed_after_it_was_shown_is_a_conflict(browser: Client, nifty: Underlying) -> None:
    page = sent(browser, TERMS, f"{HEAD}\nNIFTY,2026-01-01,,65,1800,0.05,c,yes\n")
    ContractSpec.objects.create(
        underlying=nifty, expiring_from="2026-01-01", lot_units=75, freeze_units=1800, tick=Decimal("0.05"), source="typed"
    )
    assert browser.post(f"{TERMS}/approve", hidden(page)).status_code == 409
    assert ContractSpec.objects.get().lot_units == 75
    told = hidden(page) | {"lines": hidden(page)["lines"].replace("65", "66")}
    assert browser.post(f"{TERMS}/approve", told).status_code == 409
    for lines in ("", "[]", "{}", '[{"underlying": 5}]', "[" * 5000):
        assert browser.post(f"{TERMS}/approve", {"lines": lines, "seal": "x"}).status_code == 422


def test_margin_figures_come_the_same_way(browser: Client) -> None:
    """A file with other figures; its headings may be written as people write them."""
    MarginRequirement.objects.all().delete()
    margins.set_figure("NIFTY", "SHORT_SINGLE", False, Decimal(200_000), by="user:alice")
    text = "Underlying,Kind,Expiry day,Rupees\nNIFTY,short single,no,2,50,000\n"
    assert "an amount" in sent(browser, FIGURES, text.replace("2,50,000", "0")).content.decode()
    text = 'Underlying,Kind,Expiry day,Rupees\nNIFTY,short single,no,"2,50,000"\nNIFTY,SHORT_SINGLE,yes,300000.50\n'
    page = sent(browser, FIGURES, text)
    assert [(c.act, c.before, c.after) for c in page.context["changes"]] == [
        ("CHANGE", "200000.00", "250000.00"), ("ADD", "", "300000.50")
    ]  # fmt: skip
    assert browser.post(f"{FIGURES}/approve", hidden(page)).status_code == 302
    assert margins.table() == {
        ("NIFTY", "SHORT_SINGLE", False): Decimal(250_000), ("NIFTY", "SHORT_SINGLE", True): Decimal("300000.50")
    }  # fmt: skip
    assert Journal.objects.filter(kind="margin.figure").count() == 3
    wrong = sent(browser, FIGURES, "underlying,kind,expiry_day,rupees\nNIFTY,LONG,no,5\n").content.decode()
    assert "line 2: kind one of SHORT_SINGLE" in wrong


def test_both_pages_offer_it_to_whom_it_is_for() -> None:
    owner, viewer = cast.signed_in(cast.alice()), cast.signed_in(cast.bob())
    for url, where in ((TERMS, "/settings/instruments"), (FIGURES, "/margin/requirements")):
        assert url in owner.get(where).content.decode() and url not in viewer.get(where).content.decode()
