#!/usr/bin/env python
import os
import sys


def main() -> None:
    if sys.argv[1:2] in (["demo"], ["demo_connect"]):
        from algomirror.demo import environment

        environment.prepare()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "algomirror.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
