"""What is written inside a transaction is written by the connection that began it, in whatever thread, seated or not."""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest
from django.db import connection, connections, transaction

from algomirror.ops import alarms, here, seats
from algomirror.ops.models import Alarm


def is_django_s() -> bool:
    return here.connection() is connections["default"]


@pytest.mark.django_db(transaction=True)
def test_seated_or_not() -> None:
    found = list[bool]()

    def sits_and_gets_up() -> None:
        try:
            found.append(is_django_s())
            own = here.connection()
            with seats.taken():
                found.append(is_django_s() and here.connection() is not own)
                with seats.left():
                    found.append(is_django_s() and here.connection() is own)
                found.append(is_django_s() and here.connection() is not own)
            found.append(is_django_s() and here.connection() is own)
        finally:
            connection.close()

    thread = Thread(target=sits_and_gets_up)
    thread.start()
    thread.join()
    assert found == [True] * 5


@pytest.mark.django_db(transaction=True)
def test_a_thread_whose_event_loop_runs_for_a_while_has_another_one_meanwhile() -> None:
    """As in a test that drives a browser: what it asked before the loop ran is not what it writes by while it runs."""

    async def while_it_runs() -> bool:
        return is_django_s() and here.connection() is not before

    before = here.connection()
    assert is_django_s()
    assert asyncio.run(while_it_runs())
    assert is_django_s() and here.connection() is before
    with transaction.atomic():
        alarms.ring("TEST", "written by the connection that began it")
        transaction.set_rollback(True)
    assert not Alarm.objects.filter(kind="TEST").exists()
