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

    `unexplained` are differences nobody accounts for, `explained` those in flight or left outside by a person.
    """

    as_of: datetime | None
    error: str
    unexplained: list[Line]
    explained: list[Line]
    doubts: int
    frozen: int

    @property
    def is_explained(self) -> bool | None:
        """None: nobody can say, because the books were never read."""
        if self.as_of is None:
            return None
        return not self.unexplained and not self.doubts and not self.frozen


def beside(account: Account) -> Beside:
    page = reconciliation_page(Wish(account=account.pk, differences=True))
    read = next(iter(page.reads), None)
    open_to_doubt = [line for line in page.lines if not _is_explained(line)]
    return Beside(
        as_of=None if read is None else read.as_of,
        error="" if read is None else read.error,
        unexplained=open_to_doubt,
        explained=[line for line in page.lines if _is_explained(line)],
        doubts=len(page.doubts),
        frozen=len(page.frozen),
    )


def _is_explained(line: Line) -> bool:
    return line.compared.verdict is Verdict.CATCHING_UP or bool(line.left)
