"""What an open run is made of, as one line: as long as the line is the same, what was read of the run still holds.

Every change of a book's orders, fills and positions raises the book's version in its own transaction (trading.services.
versions), guards only ever move forward, and the terms are compared as they stand. Written out, because composing it by
the ORM takes ten times as long as running it, and the fast guard asks before every decision.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

Print = tuple[object, ...]

_BOOKS = "FROM trading_book b WHERE b.run_id = r.id"
_GUARDS = "FROM risk_guardstate g WHERE g.run_id = r.id"
_OPEN = f"""
SELECT r.id, r.state, l.max_loss, l.max_profit, l.max_loss_action, l.max_profit_action, l.blind_policy, l.terms,
    (SELECT SUM(b.version) {_BOOKS}), (SELECT COUNT(*) {_BOOKS}), (SELECT COUNT(*) {_BOOKS} AND b.state = 'FLAT'),
    (SELECT SUM(p.bought_units + p.sold_units) FROM trading_position p JOIN trading_book b ON b.id = p.book_id
        WHERE b.run_id = r.id),
    (SELECT SUM(g.noted) {_GUARDS}), (SELECT COUNT(*) {_GUARDS}),
    (SELECT COUNT(*) {_GUARDS} AND g.state = 'ARMED'), (SELECT COUNT(*) {_GUARDS} AND g.state = 'TRIPPED')
FROM trading_run r LEFT JOIN risk_runlimits l ON l.run_id = r.id
WHERE r.state <> 'CLOSED'
"""


def prints(run_ids: Sequence[int] | None = None) -> dict[int, Print]:
    """By run, of all open runs or of these; one statement. Read it before the rows it shall stand for, never after."""
    chosen = "" if run_ids is None else f" AND r.id IN ({', '.join(['%s'] * len(run_ids))})"
    if run_ids is not None and not run_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_OPEN + chosen, run_ids)
        return {row[0]: tuple(row[1:]) for row in cursor.fetchall()}
