"""Writes what was sealed under an earlier SECRET_KEY anew under the present one."""
from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gs2admin.errors import DomainError
from gs2admin.identity.management.commands._door import CLI
from gs2admin.identity.services.key_rotation import rotate_keys, unsigned_since


class Command(BaseCommand):
    """`manage.py rotatekeys [--lost]`. A second run changes nothing."""

    help = "Seal all secrets anew under SECRET_KEY. The key until now has to be in SECRET_KEY_FALLBACKS."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lost", action="store_true", help="the key until now is lost: go on with SECRET_KEY without it")

    def handle(self, *, lost: bool, **options: object) -> None:
        try:
            done = rotate_keys(actor=CLI, lost=lost)
        except DomainError as refusal:
            raise CommandError(refusal.sentence) from None
        self.stdout.write(f"{done.written} secrets were written anew under SECRET_KEY; {done.current} were under it already.")
        for name in done.unreadable:
            self.stdout.write(f"No key opens the secret of {name}: make a new one.")
        if done.changed:
            self.stdout.write("The database knows SECRET_KEY as its key now: hosts without it no longer start.")
        if waiting := unsigned_since():
            self.stdout.write(
                f"Leave the key until now in SECRET_KEY_FALLBACKS: {waiting} credentials that an earlier release made have not"
                " signed in since, and only that key knows their secrets."
            )
        else:
            self.stdout.write("SECRET_KEY_FALLBACKS may be emptied when sessions and links from before may end.")
