"""A statement that was compiled once gives what the ORM gives, on every kind of database, also with other values later."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.db.models import F, Max, Q, Sum
from django.db.models.signals import post_init
from django.db.transaction import TransactionManagementError

from accounts.models import Account, BrokerRead, User
from algomirror.ops import prepared, sight
from algomirror.ops.among import Among
from algomirror.ops.models import Journal
from algomirror.ops.prepared import Prepared, PreparedUpdate, insert, insert_named
from tests.cast import account as an_account
from trading.models import Book, Order
from trading.services import glance, versions

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def orders() -> list[Order]:
    return some_orders(3)


def some_orders(number: int) -> list[Order]:
    """Of one book."""
    account = an_account("Hdfc")
    book = Book.objects.create(kind="TICKET", account=account, mode=account.mode, opened_at=AT)
    return [an_order(book, n) for n in range(number)]


def an_order(book: Book, n: int) -> Order:
    return Order.objects.create(
        book=book,
        account=book.account,
        client_order_id=f"t1-{n}",
        purpose="ENTRY",
        leg=1,
        slice_no=n,
        hedge_legs=[2, n],
        exchange="NFO",
        symbol=f"NIFTY24NOV2626{n}00CE",
        product="NRML",
        action="SELL",
        units=65,
        lot_units=65,
        tick=Decimal("0.05"),
        price_type="LIMIT",
        price=Decimal("101.35") + n,
        sent_at=None if n == 0 else AT + timedelta(seconds=n),
        trading_day=date(2026, 11, 20),
        created_at=AT,
    )


def plain(row: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name != "_state"}


def test_rows_with_what_they_point_to(orders: list[Order]) -> None:
    of_book = Prepared(lambda book: Order.objects.filter(book_id=book).select_related("book__account").order_by("id"))
    found = of_book(orders[0].book_id)
    assert [plain(row) for row in found] == [plain(row) for row in Order.objects.order_by("id")]
    assert found[2].hedge_legs == [2, 2]
    before = len(connection.queries)
    assert {row.book.account.name for row in found} == {"Hdfc"}
    assert len(connection.queries) == before
    assert of_book(orders[0].book_id + 1) == []


def test_values_keep_their_types(orders: list[Order]) -> None:
    rows = Order.objects.order_by("id").values_list("price", "sent_at", "trading_day", "hedge_legs", "protected")
    since = Prepared(lambda at: rows.filter(Q(sent_at=None) | Q(sent_at__gt=at)))
    assert since(AT + timedelta(seconds=1)) == [row for row in rows if row[1] is None or row[1] > AT + timedelta(seconds=1)]
    assert len(since(AT)) == 3
    flat = Prepared(lambda day: Order.objects.filter(trading_day=day).order_by("-id").values_list("pk", flat=True))
    assert flat(date(2026, 11, 20)) == [o.pk for o in reversed(orders)]
    assert flat.first(date(2026, 11, 19)) is None


def test_many_values_of_one_kind_and_a_subquery(orders: list[Order]) -> None:
    def newest(book: Any, *symbols: Any) -> Any:
        named = Order.objects.filter(book_id=book, symbol__in=symbols).order_by()
        return Order.objects.filter(pk__in=named.values("symbol").annotate(m=Max("pk")).values("m"))

    two = Prepared(newest, slots=3)
    assert {o.pk for o in two(orders[0].book_id, orders[0].symbol, orders[2].symbol)} == {orders[0].pk, orders[2].pk}


def test_the_one_that_is_not_there_says_so(orders: list[Order]) -> None:
    by_key = Prepared(lambda pk: Order.objects.filter(pk=pk))
    assert by_key.one(orders[1].pk).symbol == orders[1].symbol
    with pytest.raises(Order.DoesNotExist):
        by_key.one(0)


def test_none_chooses_no_row_it_is_refused(orders: list[Order]) -> None:
    with pytest.raises(TypeError, match="IS NULL"):
        Prepared(lambda pk: Order.objects.filter(pk=pk))(None)


def test_columns_are_set_and_counted(orders: list[Order]) -> None:
    move = PreparedUpdate(
        lambda pk, state: Order.objects.filter(pk=pk, state=state),
        ["state", "price", "sent_at", "hedge_legs", "reason"],
        missing_reads=F("missing_reads") + 1,
    )
    order = orders[1]
    assert move(order.pk, "INITIALIZED", "DENIED", Decimal("99.9"), None, [7], "why") == 1
    assert move(order.pk, "INITIALIZED", "DENIED", Decimal("98"), AT, [], "") == 0
    order.refresh_from_db()
    assert (order.state, order.price, order.sent_at, order.hedge_legs, order.missing_reads) == (
        *("DENIED", Decimal("99.9"), None, [7], 1),
    )
    assert Order.objects.get(pk=orders[0].pk).state == "INITIALIZED"


def test_json_of_a_read_comes_back_as_it_was_written() -> None:
    account = an_account("Hdfc")
    BrokerRead.objects.create(account=account, kind="ORDERS")
    keep = PreparedUpdate(lambda a: BrokerRead.objects.filter(account_id=a), ["rows", "started_at"], sequence=F("sequence") + 1)
    rows = [{"a": "1.05", "b": None, "c": ["é", True]}]
    assert keep(account.pk, rows, AT) == 1
    read = Prepared(lambda a: BrokerRead.objects.filter(account_id=a).values_list("rows", "started_at", "sequence"))
    assert read(account.pk) == [(rows, AT, 1)]


def test_a_new_row_is_what_save_would_have_made(orders: list[Order]) -> None:
    values = {"at": AT, "kind": "k", "actor": "a", "numbers": {"x": "1"}, "account_id": 5, "from_address": "10.0.0.1"}
    saved, inserted = Journal.objects.create(**values), Journal(**values)
    insert(inserted)
    one, other = Journal.objects.get(pk=saved.pk), Journal.objects.get(pk=inserted.pk)
    assert other.pk > one.pk
    assert plain(one) | {"id": 0} == plain(other) | {"id": 0}
    order = Order.objects.get(pk=orders[0].pk)
    order.pk, order.client_order_id = None, "t1-9"
    insert(order)
    assert plain(Order.objects.get(pk=order.pk)) == plain(order)
    assert order.account == Account.objects.get()


def test_many_new_rows_are_what_save_would_have_made_of_each(orders: list[Order]) -> None:
    values = {"at": AT, "kind": "k", "actor": "a", "numbers": {"x": ["é", None]}, "account_id": 5, "from_address": None}
    saved = Journal.objects.create(**values)
    insert_named(Journal, [values | {"subject": f"s{n}"} for n in range(3)])
    rows = list(Journal.objects.filter(pk__gt=saved.pk).order_by("id"))
    assert [plain(row) | {"id": 0} for row in rows] == [plain(saved) | {"id": 0, "subject": f"s{n}"} for n in range(3)]
    insert_named(Journal, [])
    assert Journal.objects.count() == 4


def test_rows_of_named_values_are_what_save_would_have_made_of_each(orders: list[Order]) -> None:
    first = Order.objects.get(pk=orders[0].pk)
    given = ("book_id", "account_id", "purpose", "leg", "hedge_legs", "exchange", "symbol", "product", "action", "units")
    given += ("price_type", "price", "tick", "trading_day", "created_at", "decision_price")
    values = {name: getattr(first, name) for name in given} | {"permit": {"plan": "p", "at": "now"}}
    saved = Order.objects.create(**values | {"client_order_id": "t9-0", "state": "FILLED"})
    insert_named(Order, [values | {"client_order_id": f"t9-{n}", "state": "FILLED"} for n in (1, 2)])
    saved, *rows = Order.objects.filter(pk__gte=saved.pk).order_by("id")
    assert [plain(row) | {"id": 0} for row in rows] == [plain(saved) | {"id": 0, "client_order_id": f"t9-{n}"} for n in (1, 2)]
    insert_named(Order, [])
    with pytest.raises(KeyError, match="colour"):
        insert_named(Order, [values | {"client_order_id": "t9-3", "colour": "red"}])
    with pytest.raises(TypeError, match="date_joined"):
        insert_named(User, [{"username": "x"}])
    assert Order.objects.count() == len(orders) + 3


def test_one_bad_row_of_many_leaves_none(orders: list[Order]) -> None:
    copy = {name: value for name, value in plain(orders[0]).items() if name != "id" and not name.startswith("_")}
    copies = [copy | {"client_order_id": name} for name in ("t1-9", orders[1].client_order_id)]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_named(Order, copies)
    assert Order.objects.count() == len(orders)


def test_who_may_see_less_gets_and_leaves_no_statement_of_others(orders: list[Order]) -> None:
    of_book = Prepared(lambda book: Order.objects.filter(book_id=book).values_list("pk", flat=True))
    move = PreparedUpdate(lambda pk: Order.objects.filter(pk=pk), ["reason"])
    book, account = orders[0].book_id, orders[0].account_id
    for _ in range(2):
        with sight.limited_to(frozenset({account + 1})):
            assert of_book(book) == []
            assert move(orders[0].pk, "not theirs") == 0
        assert len(of_book(book)) == 3
        assert move(orders[0].pk, "ours") == 1
        with sight.limited_to(frozenset({account})):
            assert len(of_book(book)) == 3


def test_a_computed_moment_is_one_too(orders: list[Order]) -> None:
    latest = Prepared(
        lambda book: (
            Order.objects.filter(book_id=book).order_by().values("symbol").annotate(at=Max("sent_at")).values_list("symbol", "at")
        )
    )
    found = dict(latest(orders[0].book_id))
    assert found == {o.symbol: o.sent_at for o in orders}
    assert {at.tzinfo for at in found.values() if at is not None} == {UTC}


def test_an_update_gives_what_a_column_is_now(orders: list[Order]) -> None:
    raised = PreparedUpdate(
        lambda pk, state: Order.objects.filter(pk=pk, state=state), ["reason"], gives="cancels", cancels=F("cancels") + 1
    )
    assert [raised(orders[0].pk, "INITIALIZED", f"for the {n}.") for n in (1, 2)] == [1, 2]
    assert raised(orders[0].pk, "FILLED", "no such row") == 0
    orders[0].refresh_from_db()
    assert (orders[0].cancels, orders[0].reason) == (2, "for the 2.")
    orders[1].refresh_from_db()
    assert orders[1].cancels == 0


def test_what_is_there_already_is_left_as_it_is(orders: list[Order]) -> None:
    account = orders[0].account
    for kind in ("ORDERS", "ORDERS", "TRADES"):
        insert_named(BrokerRead, [{"account_id": account.pk, "kind": kind, "rows": [kind]}], unless_there=True)
    assert sorted(BrokerRead.objects.values_list("kind", flat=True)) == ["ORDERS", "TRADES"]


def test_a_text_where_a_number_goes_and_the_other_way_round_are_what_the_orm_makes_of_them(orders: list[Order]) -> None:
    change = PreparedUpdate(lambda pk: Order.objects.filter(pk=pk), ["units", "reason", "protected", "price"])
    change(orders[0].pk, "130", 7, 1, "99.50")
    by_orm = orders[1]
    Order.objects.filter(pk=by_orm.pk).update(units="130", reason=7, protected=1, price="99.50")
    names = ("units", "reason", "protected", "price")
    mine, theirs = (Order.objects.values_list(*names).get(pk=pk) for pk in (orders[0].pk, by_orm.pk))
    assert mine == theirs == (130, "7", True, Decimal("99.50"))


def test_what_django_refuses_is_refused_here_too(orders: list[Order]) -> None:
    of_book = Prepared(lambda book: Order.objects.filter(book_id=book).values_list("pk", flat=True))
    copy = Order.objects.get(pk=orders[0].pk)
    copy.pk = None
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            insert(copy)
        connection.needs_rollback = True
        with pytest.raises(TransactionManagementError):
            of_book(orders[0].book_id)
        transaction.set_rollback(True)
    mine, said = connections["default"], []

    def with_another_s_connection() -> None:
        connections["default"] = mine
        try:
            of_book(orders[0].book_id)
        except DatabaseError as error:
            said.append(str(error))

    thread = Thread(target=with_another_s_connection)
    thread.start()
    thread.join()
    assert len(said) == 1
    assert "can only be used in that same thread" in said[0]
    assert len(of_book(orders[0].book_id)) == len(orders)


def test_constants_with_quotes_and_percent_signs_are_what_the_orm_makes_of_them(orders: list[Order]) -> None:
    odd = "it's 5% of '%s', and ''\\"
    Order.objects.filter(pk=orders[1].pk).update(reason=odd)
    of_book = Prepared(lambda book: Order.objects.filter(book_id=book, reason=odd).values_list("pk", flat=True))
    assert of_book(orders[0].book_id) == [orders[1].pk]
    change = PreparedUpdate(lambda pk: Order.objects.filter(pk=pk), ["units"], reason="100% 'sure'")
    assert change(orders[0].pk, 130) == 1
    assert Order.objects.values_list("units", "reason").get(pk=orders[0].pk) == (130, "100% 'sure'")


def test_no_statement_is_planned_anew_each_time(orders: list[Order]) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite plans a statement anew for a parameter")
    prepared.compile_all()
    glance.at(orders[0].account_id)
    book = orders[0].book
    before = _statements()
    for _ in range(3):
        seen = glance.at(orders[0].account_id)
        assert (seen.open_runs, seen.ended_lately()) == (frozenset(), False)
        versions.claim(book, ("OPEN",))
    # Less what other tests made of their statements on this connection.
    rose = {sql: (counts - before[sql]) for sql, counts in _statements().items()}
    found = {sql: counts for sql, counts in rose.items() if counts["run"] > 2}
    assert len(found) >= 7
    assert [sql for sql, counts in found.items() if counts["again"] >= counts["run"]] == []


def _statements() -> defaultdict[str, Counter[str]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with connection.cursor() as cursor:
        for sql, again, run in cursor.execute("SELECT sql, reprep, run FROM sqlite_stmt").fetchall():
            counts[sql] += Counter(again=again, run=run)
    return counts


def test_each_runs_once_for_all_and_counts_what_matched(orders: list[Order]) -> None:
    move = PreparedUpdate(lambda pk, state: Order.objects.filter(pk=pk, state=state), ["state", "price"])
    rows = [(o.pk, "INITIALIZED" if n < 2 else "ACCEPTED", "DENIED", Decimal("1.05")) for n, o in enumerate(orders)]
    assert move.each(rows) == 2
    assert [o.state for o in Order.objects.order_by("id")] == ["DENIED", "DENIED", "INITIALIZED"]
    assert move.each([]) == 0


def test_rows_among_any_number_of_numbers_are_those_of_the_orm(orders: list[Order]) -> None:
    among = Among("pk", lambda mine, at: Order.objects.filter(mine | Q(slice_no=0), created_at__lte=at).order_by("pk"))
    ids = [order.pk for order in orders]
    for wanted in ([], ids[1:2], ids[1:], [*ids, 10**12, -1], [*ids] * 2):
        said = list(Order.objects.filter(Q(pk__in=wanted) | Q(slice_no=0), created_at__lte=AT).order_by("pk"))
        assert [plain(row) for row in among(wanted, AT)] == [plain(row) for row in said]
    assert among(ids, AT - timedelta(seconds=1)) == []


def test_numbers_in_a_column_that_may_be_empty_and_sums_by_it(orders: list[Order]) -> None:
    both = Among(
        "account_id", lambda mine: Order.objects.filter(mine).values_list("account_id").annotate(all=Sum("price")).order_by()
    )
    account = orders[0].account_id
    assert both([account]) == both([account, account + 1]) == [(account, sum(order.price for order in orders))]
    goals = Among("goal_id", lambda mine: Order.objects.filter(Q(goal=None) | mine).values_list("pk", flat=True))
    assert sorted(goals([7, 8])) == [order.pk for order in orders]


def test_a_limited_person_finds_only_their_own_among_them(orders: list[Order]) -> None:
    among = Among("pk", lambda mine: Order.objects.filter(mine))
    ids = [order.pk for order in orders]
    assert len(among(ids)) == 3
    with sight.limited_to(frozenset({orders[0].account_id + 1})):
        assert among(ids) == among(ids[:1]) == []
    assert len(among(ids)) == 3


def test_what_was_not_read_is_read_when_it_is_asked_for_and_what_was_can_be_saved(orders: list[Order]) -> None:
    few = Prepared(lambda pk: Order.objects.filter(pk=pk).only("state", "book_id").select_related(None))
    (found,) = few(orders[0].pk)
    assert found.get_deferred_fields() >= {"units", "symbol"} and "state" not in found.get_deferred_fields()
    assert (found.units, found.book.account.name) == (65, "Hdfc")
    assert not found._state.adding and found == orders[0] and hash(found) == hash(orders[0])
    whole = Prepared(lambda pk: Order.objects.filter(pk=pk).select_related("book__account", "goal"))
    (order,) = whole(orders[0].pk)
    assert order.goal is None and not order.get_deferred_fields()
    order.reason, order.book.frozen_why = "said", "why"
    order.save()
    order.book.save(update_fields=["frozen_why"])
    assert Order.objects.values_list("reason", "book__frozen_why").get(pk=order.pk) == ("said", "why")
    order.book_id = 0
    assert "book" not in order._state.fields_cache, "another book's id lets go of this one"


def test_a_model_with_listeners_is_made_by_django(orders: list[Order]) -> None:
    heard = list[object]()

    def listen(instance: object, **_: object) -> None:
        heard.append(instance)

    post_init.connect(listen, sender=Order)
    try:
        of_book = Prepared(lambda book: Order.objects.filter(book_id=book))
        assert heard == of_book(orders[0].book_id) != []
    finally:
        post_init.disconnect(listen, sender=Order)
