"""Whether this code can work on a database: what its record of migrations says, and how an old database is carried over.

It knows the apps by their labels and imports none of them. docs/migrations.md has the rules for people.
"""
