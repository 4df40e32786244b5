"""What sizing decided for one account, as the plan keeps it; and when its orders may go out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from algomirror.kernel.money import to_paisa

# A little over a second, as the call budget counts it.
WINDOW_S = Decimal("1.05")


@dataclass(frozen=True, slots=True)
class Size:
    """Structures and rupees of one account. `needed` is what counts by policy; None figures were not known.

    `code` and `why` say why `structures` is 0; `note` why it is other than what was wished.
    """

    account_id: int
    account_name: str
    structures: int
    needed: Decimal | None
    table: Decimal | None
    broker: Decimal | None
    free: Decimal | None
    reserved: Decimal
    basis: str
    formula: str
    rate: int
    remainder: Decimal | None = None
    charges: Decimal | None = None
    round_trip: Decimal | None = None
    note: str = ""
    code: str = ""
    why: str = ""

    @property
    def left(self) -> Decimal | None:
        return None if self.free is None or self.needed is None else self.free - self.needed

    @property
    def difference(self) -> Decimal | None:
        """Table minus broker: what our own figures are too careful by."""
        return None if self.table is None or self.broker is None else self.table - self.broker


MONEY = ("needed", "table", "broker", "free", "reserved", "charges", "round_trip")


def encode_size(size: Size) -> dict[str, Any]:
    row = asdict(size)
    for name in MONEY:
        row[name] = None if row[name] is None else str(to_paisa(row[name]))
    row["remainder"] = None if size.remainder is None else str(size.remainder)
    return row


def decode_size(row: Mapping[str, Any]) -> Size:
    found = dict(row)
    for name in (*MONEY, "remainder"):
        found[name] = None if found.get(name) is None else Decimal(found[name])
    return Size(**found)


def earliest_s(orders_before: int, per_second: int) -> Decimal:
    """Seconds after the start at which the next order may go out, when that many of the account went before it."""
    return (orders_before // max(per_second, 1)) * WINDOW_S


def timetable(slices: Sequence[int], per_second: int) -> list[Decimal]:
    """For lines in sending order, by their number of orders: the earliest second of the first order of each."""
    found: list[Decimal] = []
    before = 0
    for count in slices:
        found.append(earliest_s(before, per_second))
        before += count
    return found
