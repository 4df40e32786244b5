"""The end-of-day report as tables: for CSV and for the workbook. Rupees; empty is unknown; averages to four decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from algomirror.ops.sheets import Table, Value
from strategies.reports.day import DayReport, Line
from strategies.reports.kinds import LABELS

HEAD: Final = (
    "account", "day", "mode", "run", "of", "exchange", "symbol", "product", "bought", "bought average", "sold", "sold average",
    "realised", "held", "held average", "last minute", "open", *LABELS, "charges", "net", "fills",
)  # fmt: skip


def lines(report: DayReport) -> Table:
    return Table(f"{report.tag.name} {report.day}", HEAD, [_row(report, line) for line in report.lines])


def whole(report: DayReport) -> list[Table]:
    kinds: list[list[Value]] = [[label, value] for label, value in report.costs.by_kind]
    told: list[list[Value]] = [
        ["account", report.tag.name],
        ["day", report.day],
        ["mode", report.mode],
        ["realised", report.realised],
        ["open at the close", report.open],
        *kinds,
        ["charges", report.costs.total],
        ["net", report.net],
        ["orders", report.counted.orders],
        ["fills", report.fills],
        ["rejected by the broker", report.counted.rejected],
        ["denied by the gate", report.counted.denied],
        ["instruments carried", len(report.carried)],
        ["read at", report.read_at],
    ]
    reasons: list[list[Value]] = [
        [order.created_at, order.exchange, order.symbol, order.action, order.units, order.state, order.reason]
        for order in report.rejections
    ]
    turned_away = Table("turned away", ("at", "exchange", "symbol", "action", "units", "state", "reason"), reasons)
    return [Table("day", ("what", "value"), told), Table("lines", HEAD, lines(report).rows), turned_away]


def _row(report: DayReport, line: Line) -> list[Value]:
    did, held = line.did, line.did.held
    about: list[Value] = [report.tag.name, report.day, report.mode, line.run_id, line.owner.text]
    about += [line.exchange, line.symbol, line.product]
    dealt: list[Value] = [did.bought_units, _average(did.bought_average), did.sold_units, _average(did.sold_average)]
    kept: list[Value] = [did.realised, held.units, _average(held.average), line.mark, line.open]
    return [*about, *dealt, *kept, *line.costs.values, line.costs.total, line.net, did.fills]


def _average(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("0.0001"))
