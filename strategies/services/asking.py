"""What the brokers themselves say one structure blocks, beside our own table. Orders nothing; keeps the figures, dated."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import Failed
from accounts.models import Account
from algomirror.kernel.errors import Refused
from algomirror.ops.outgoing import refuse_in_transaction
from risk.services import funds
from strategies.domain.legs import LegSpec
from strategies.services import figures
from strategies.services.resolving import resolve
from strategies.services.sizing import Structure, structure_of

AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class BasketAnswer:
    """One account. `broker` None: it did not say, and `why` tells; `usable` None: its funds are not known."""

    account: Account
    broker: Decimal | None
    table: Decimal | None
    usable: Decimal | None
    why: str

    @property
    def difference(self) -> Decimal | None:
        """What the broker wants beyond our table."""
        return None if self.broker is None or self.table is None else self.broker - self.table

    @property
    def leaves(self) -> Decimal | None:
        return None if self.broker is None or self.usable is None else self.usable - self.broker


@dataclass(frozen=True, slots=True)
class Asked:
    symbols: tuple[str, ...]
    answers: tuple[BasketAnswer, ...]


def ask_baskets(legs: Sequence[LegSpec], accounts: Sequence[Account]) -> Asked:
    """The basket margin of these legs, one account beside the other, all asked at once. Outside any transaction.

    Refused with a field when the legs have no price or contract now.
    """
    refuse_in_transaction()
    found = resolve(legs)
    if found.denials:
        raise Refused(found.denials[0].sentence, fields={"underlying": found.denials[0].sentence})
    structure = structure_of(found.lines, {leg.number: leg.underlying for leg in legs}, 1, "NRML")
    purses = funds.purses(accounts)
    doors = [gateway_for(account) for account in accounts]
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="baskets") as pool:
        said = list(pool.map(lambda door: door.basket_margin(structure.basket(1)), doors))
    answers = []
    for account, answer in zip(accounts, said, strict=True):
        broker, why = (None, answer.text) if isinstance(answer, Failed) else _total(answer.value.total)
        answers.append(BasketAnswer(account, broker, structure.table, purses[account.pk].money.usable, why))
    figures.keep(structure, {answer.account.pk: (1, answer.broker) for answer in answers})
    return Asked(_symbols(structure), tuple(answers))


def _total(total: Decimal) -> tuple[Decimal | None, str]:
    return (total, "") if total > 0 else (None, "the server answered without a figure")


def _symbols(structure: Structure) -> tuple[str, ...]:
    return tuple(f"{line.action} {line.contract.symbol}" for line in structure.lines)
