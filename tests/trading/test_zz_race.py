from __future__ import annotations
import pytest
from tests.trading import truth
from tests.trading.desk import LOT, Desk, a_desk
from tests.trading.points import Crash, die

def sweep(desk_profile, prepare, act_kind):
    pass

@pytest.mark.django_db
@pytest.mark.parametrize("profile", ["sandbox", "live"])
@pytest.mark.parametrize("phase", ["entry", "exit"])
@pytest.mark.parametrize("kind", ["crash", "second"])
def test_every_moment(profile, phase, kind):
    from django.db import transaction
    bad = {}
    at = 0
    total = None
    while total is None or at < total:
        atom = transaction.atomic(); atom._from_testcase = True
        atom.__enter__()
        try:
            with a_desk(profile) as desk:
                book = desk.strangle()
                if phase == "exit":
                    desk.run_until(lambda: desk.owned(book, "PE") == -LOT and desk.owned(book, "CE") == -LOT)
                    desk.exit(book)
                    desk.run(0.5)
                def second():
                    desk.step()
                act = die if kind == "crash" else second
                try:
                    with desk.side.points.watch(act, at=at) as pts:
                        for _ in range(4):
                            desk.step(); desk.advance(0.5)
                except Crash:
                    pass
                except Exception as e:
                    bad.setdefault(f"EXC {type(e).__name__}: {e}"[:200], []).append((at, pts.names[at] if at < len(pts.names) else None))
                total = max(total or 0, pts.seen) if kind!="crash" or total is None else total
                if kind == "crash":
                    total = max(total, at+2) if pts.seen > at else at
                def check(tag):
                    for l in truth.lies(desk):
                        import re
                        bad.setdefault(tag + re.sub(r"\d+", "#", l), []).append((at, pts.names[at] if at < len(pts.names) else None))
                check("")
                try:
                    ok = desk.settle(seconds=40)
                except Exception as e:
                    bad.setdefault(f"EXC2 {type(e).__name__}: {e}"[:200], []).append((at, pts.names[at] if at < len(pts.names) else None))
                check("after ")
                if phase == "entry":
                    desk.exit(book)
                try:
                    ok = desk.settle(seconds=60)
                except Exception as e:
                    bad.setdefault(f"EXC3 {type(e).__name__}: {e}"[:200], []).append((at, pts.names[at] if at < len(pts.names) else None))
                check("end ")
                if not ok: bad.setdefault("not settled " + desk.state(book) + str(desk.alarms()), []).append((at, pts.names[at] if at < len(pts.names) else None))
                for l in truth.unsettled(desk): bad.setdefault("uns "+re.sub(r"\d+", "#", l) if False else "uns "+l, []).append((at, pts.names[at] if at < len(pts.names) else None))
                if desk.state(book) != "FLAT": bad.setdefault("state "+desk.state(book), []).append(at)
        finally:
            transaction.set_rollback(True)
            atom.__exit__(None, None, None)
        at += 1
    print(profile, phase, kind, "moments", total)
    for k, v in bad.items():
        print("  ", len(v), k, v[:3])
    assert not bad
