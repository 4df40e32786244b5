from __future__ import annotations

import logging
import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, connections
from django_q.management.commands.qcluster import Command as QCluster
from django_q.signals import post_spawn

from algomirror.ops import cores, memory, prepared
from algomirror.ops.supervisor.deathsig import forks_die_with_this_process

log = logging.getLogger(__name__)


class Command(QCluster):  # type: ignore[misc]
    help = "Run one named task cluster: Q_CLUSTER_NAME=risk manage.py run_cluster risk"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=settings.CLUSTERS)

    def handle(self, *args: Any, **options: Any) -> None:
        # django-q2 reads the name while it is imported; an option would come too late and listen on the wrong queue.
        if os.environ.get("Q_CLUSTER_NAME") != options["name"]:
            raise CommandError(f"Set Q_CLUSTER_NAME={options['name']} in the environment of this process.")
        forks_die_with_this_process()
        preload()
        if options["name"] == "orders":
            # Its workers serve dozens of accounts in dozens of threads each.
            post_spawn.connect(_keep_to_one_core)
        super().handle()


def _keep_to_one_core(**_: Any) -> None:
    """In each worker, when it begins."""
    cores.keep_to_one()


def preload() -> None:
    """Import every room's tasks and compile what they ask before the fork: workers share the memory and their first task
    waits for nothing."""
    for app in apps.get_app_configs():
        if find_spec(f"{app.name}.tasks") and not app.name.startswith("django"):
            try:
                import_module(f"{app.name}.tasks")
            except Exception:
                log.exception("tasks cannot be loaded room=%s", app.label)  # the other rooms' work goes on
    try:
        prepared.compile_all()
    except DatabaseError:
        log.exception("statements cannot be compiled ahead")  # each is when it is first asked
    finally:
        # A worker opens its own.
        connections.close_all()
    memory.settle()
