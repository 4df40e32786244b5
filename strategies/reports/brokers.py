"""What the broker's books say beside ours, as of their last read: the reconcile page's own verdicts, for one account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Account
from trading.pages.compare import Verdict
from trading.pages.reconciliation import Line, Wish, reconciliation_page


@dataclass(frozen=True, slots=True)
class Beside:
    """`as_of` None: there never was a complete read. `error`: why the last attempt failed; the read before it stands.

    `unexplained` are differences nobody accounts for, `explained` those that a person left outside, `moving` those of which
    the reading cannot tell: an order is in flight, or something traded after it.
    """

    as_of: datetime | None
    error: str
    unexplained: list[Line]
    explained: list[Line]
    moving: list[Line]
    doubts: int
    frozen: int

    @property
    def is_explained(self) -> bool | None:
        """None: nobody can say, because the books were never read, or not since something moved."""
        if self.unexplained or self.doubts or self.frozen:
            return False
        return None if self.as_of is None or self.moving else True


def beside(account: Account) -> Beside:
    page = reconciliation_page(Wish(account=account.pk, differences=True))
    read = next(iter(page.reads), None)
    moving = [line for line in page.lines if line.compared.verdict is Verdict.CATCHING_UP]
    left = [line for line in page.lines if line.left]
    return Beside(
        as_of=None if read is None else read.as_of,
        error="" if read is None else read.error,
        unexplained=[line for line in page.lines if line not in moving and line not in left and _is_read(line)],
        explained=left,
        moving=moving,
        doubts=len(page.doubts),
        frozen=len(page.frozen),
    )


def _is_read(line: Line) -> bool:
    return line.compared.verdict is not Verdict.NOT_READ
