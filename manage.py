#!/usr/bin/env python
"""The one way in from the command line: `python manage.py <command>`."""
import os
import sys


def main() -> None:
    """Run a management command, with settings mistakes told as sentences instead of a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gs2admin.settings")
    from gs2admin import private

    private.begin()
    from gs2admin.env import SettingsError

    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
    except SettingsError as mistakes:
        sys.exit(str(mistakes))


if __name__ == "__main__":
    main()
