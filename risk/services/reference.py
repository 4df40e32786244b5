"""Entries wait while our terms and the broker's list differ and nobody has decided who is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marketdata import terms
from marketdata.models import Instrument
from risk.domain.pretrade import Code, Denial, LineFacts


def denials(lines: Mapping[int, Sequence[LineFacts]]) -> list[Denial]:
    """One query, and one more while something is disputed."""
    disputed = terms.disputed()
    if not disputed:
        return []
    symbols = {line.symbol for of_account in lines.values() for line in of_account}
    rows = Instrument.objects.filter(symbol__in=symbols, underlying__in=disputed)
    waits = {(row.exchange, row.symbol): "; ".join(disputed[row.underlying]) for row in rows}
    return [
        Denial(Code.REFERENCE_DISPUTED, f"{line.symbol}: {why}. Decide it under Settings, Instruments.", account_id, line.leg)
        for account_id, of_account in lines.items()
        for line in of_account
        if (why := waits.get((line.exchange or "", line.symbol)))
    ]
