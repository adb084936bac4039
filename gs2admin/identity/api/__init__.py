"""Sign-in of programs and players: GS2-Identifier and GS2-Auth."""
from gs2admin.identity.api import auth, identifier

METHODS = identifier.METHODS + auth.METHODS
