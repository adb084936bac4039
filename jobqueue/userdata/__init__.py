"""Dump, clean and import of a player's data: each is all or nothing, and a repeat finishes it after a kill."""
