"""A broker's contract note against what we reckoned: item by item, to the rupee."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from algomirror.kernel.money import parse_decimal

ITEMS: Final = {
    "brokerage": "Brokerage",
    "stt": "STT",
    "transaction": "Transaction charges",
    "sebi": "SEBI fee",
    "stamp": "Stamp duty",
    "gst": "GST",
    "net": "Net amount",
}
# Other words of notes for the same.
ALSO: Final = {
    "transaction_charges": "transaction",
    "sebi_fee": "sebi",
    "sebi_fees": "sebi",
    "stamp_duty": "stamp",
    "net_amount": "net",
}
# Brokers round STT and stamp duty to the rupee, each order or the whole note.
TOLERANCE: Final = Decimal(1)
MOST: Final = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Item:
    """Rupees. `difference` is theirs less ours; None while ours is unknown or theirs was not given."""

    name: str
    ours: Decimal | None
    theirs: Decimal | None

    @property
    def label(self) -> str:
        return ITEMS[self.name]

    @property
    def difference(self) -> Decimal | None:
        return None if self.ours is None or self.theirs is None else self.theirs - self.ours

    @property
    def differs(self) -> bool | None:
        """By more than TOLERANCE either way; None where they cannot be compared."""
        return None if self.difference is None else abs(self.difference) > TOLERANCE


def compared(ours: Mapping[str, Decimal | None], theirs: Mapping[str, Decimal]) -> list[Item]:
    """Every item of a note, in its order."""
    return [Item(name, ours.get(name), theirs.get(name)) for name in ITEMS]


def amount(text: str, name: str) -> tuple[Decimal | None, str]:
    """What was typed for an item, and what is wrong with it, or "". Charges are positive; the net amount may be owed."""
    value = parse_decimal(text)
    if value is None or abs(value) >= MOST or value != round(value, 2):
        return None, "an amount of rupees with at most two decimals"
    if name != "net" and value < 0:
        return None, "a charge is not below 0"
    return value, ""


def totals(lines: Iterable[Mapping[str, str]]) -> tuple[dict[str, Decimal], list[str]]:
    """The amounts of a file's lines (`item`, `amount`), and what is wrong, each with its line below the headings."""
    found: dict[str, Decimal] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, start=1):
        word = "_".join(line["item"].lower().split())
        name = ALSO.get(word, word)
        value, wrong = amount(line["amount"], name)
        if name not in ITEMS:
            faults.append(f"line {number}: there is no item “{line['item'][:40]}”; there are {', '.join(ITEMS)}")
        elif name in found:
            faults.append(f"line {number}: {name} stands there twice")
        elif value is None:
            faults.append(f"line {number}: {name}: {wrong}")
        else:
            found[name] = value
    return found, faults
