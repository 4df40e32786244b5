"""Is a process that signed a row still there? Only a sure no counts."""

from __future__ import annotations

import socket

import psutil


def is_surely_dead(name: str) -> bool:
    """True when `name` ("host:pid", see ops.lease.process_name) ran on this host and no such process runs now.

    Another host's process, or a number that was given to a new process, is not surely dead.
    """
    host, _, pid = name.rpartition(":")
    return host == socket.gethostname() and pid.isdigit() and not psutil.pid_exists(int(pid))
