"""Measurements against real processes on this machine: `make bench`, or `python -m bench NAME …`.

Each bench gets a directory and a database of its own, talks over loopback only, ends by itself and leaves nothing
behind. Nothing here is part of the server; tests/races runs small versions of the same scenarios.
"""
