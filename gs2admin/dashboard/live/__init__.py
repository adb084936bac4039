"""Parts of pages that move by themselves, for thousands who watch: a request may be held until there is something new.

A domain declares a `Topic` (`topics.py`): a path, one statement that looks at all subjects that somebody watches, and the parts
that are rendered once for all with the same rights. `deciding.py` decides about many requests at once and holds nothing; the web
process holds them (`gs2admin.processes.web`, by the setting WEB_LIVE). Any other server gets the same answers from `view.py`,
one at a time and at once.
"""
