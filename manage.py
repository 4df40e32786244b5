#!/usr/bin/env python
import os
import sys


def main() -> None:
    if sys.argv[1:2] in (["demo"], ["demo_connect"]):
        from algomirror.demo import environment

        environment.prepare()
    if sys.argv[1:2] == ["new_key"]:  # wanted before there is anything to read
        os.environ |= {"DJANGO_SECRET_KEY": "not needed to make a key", "ALGOMIRROR_FERNET_KEYS": ""}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "algomirror.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Not started: {error}. Every variable: docs/SETTINGS.md")


if __name__ == "__main__":
    main()
