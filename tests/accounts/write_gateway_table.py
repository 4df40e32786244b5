"""Write the classification table into docs/GATEWAY.md: python -m tests.accounts.write_gateway_table"""

from __future__ import annotations

from pathlib import Path

from tests.accounts.classification import table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "GATEWAY.md"
MARK = "<!-- classification -->"


def rewrite(text: str) -> str:
    before, _, after = text.split(MARK)
    return f"{before}{MARK}\n{table()}\n{MARK}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(rewrite(DOCUMENT.read_text()))
