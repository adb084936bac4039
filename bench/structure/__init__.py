"""The structure of our source, counted: `python -m bench.structure [--tree DIR] [--json]`.

Reads the text of the files and imports nothing of them, so any commit's tree can be counted from any other:
`git archive --prefix=before/ COMMIT | tar -x -C /tmp`, then `--tree /tmp/before`. Needs Python's standard library only.
"""
