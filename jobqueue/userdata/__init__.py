"""A player's data as a file: dump, clean and import, each all or nothing, each finished by a repeat after a kill."""
