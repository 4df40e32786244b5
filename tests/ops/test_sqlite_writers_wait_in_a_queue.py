"""Writers wait for each other instead of asking again after sleeps; the queue may be lost without losing anything else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import close_old_connections, connection, transaction

from algomirror.ops.models import Alarm
from algomirror.ops.sqlite.base import _Queue

sqlite_only = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has writers side by side")


def an_alarm() -> Alarm:
    from tests.cast import FRIDAY

    return Alarm.objects.create(at=FRIDAY, last_at=FRIDAY, kind="K", text="t", key="k", numbers={}, seen_times=0)


def add_one(pk: int) -> None:
    """Read, think, write: right only when nobody else writes in between."""
    with transaction.atomic():
        alarm = Alarm.objects.get(pk=pk)
        time.sleep(0.0005)
        Alarm.objects.filter(pk=pk).update(seen_times=alarm.seen_times + 1)


@sqlite_only
@pytest.mark.django_db(transaction=True)
def test_many_writers_all_come_to_their_turn() -> None:
    pk, failed = an_alarm().pk, []

    def work() -> None:
        try:
            for _ in range(4):
                add_one(pk)
        except Exception as error:
            failed.append(error)
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert Alarm.objects.get(pk=pk).seen_times == 24 * 4


@sqlite_only
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_fails_leaves_the_queue() -> None:
    pk = an_alarm().pk
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        with transaction.atomic():
            Alarm.objects.filter(pk=pk).update(seen_times=7)
        raise ZeroDivisionError
    done = threading.Event()

    def work() -> None:
        add_one(pk)
        connection.close()
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(5)
    assert Alarm.objects.get(pk=pk).seen_times == 1


def test_one_process_at_a_time_and_no_longer_than_asked(tmp_path: Path) -> None:
    mine, other = (_Queue(str(tmp_path / "q")) for _ in range(2))
    assert mine.enter(1)
    began = time.monotonic()
    assert not other.enter(0.05)
    assert time.monotonic() - began < 2
    mine.leave()
    assert other.enter(1)
    other.leave()
    assert mine.enter(1)
    mine.leave()


HOLDER = """
import sys, time
from algomirror.ops.sqlite.base import _Queue
_Queue(sys.argv[1]).enter(5)
print(1, flush=True)
time.sleep(60)
"""


def test_a_process_that_was_killed_holds_up_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "q")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"1\n"
    queue = _Queue(path)
    assert not queue.enter(0.05)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(10)
    assert queue.enter(5)
    queue.leave()


def test_a_fork_stands_in_nobodys_place(tmp_path: Path) -> None:
    queue = _Queue(str(tmp_path / "q"))
    assert queue.enter(1)
    child = os.fork()
    if child == 0:
        # Waits its own turn, then has it.
        os._exit(0 if not queue.enter(0.05) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    queue.leave()
    assert queue.enter(1)
    queue.leave()


def test_without_a_place_for_the_file_nothing_is_lost(tmp_path: Path) -> None:
    assert not _Queue(str(tmp_path / "nowhere" / "q")).enter(0.1)
