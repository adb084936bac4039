"""What `python -m bench fuzz` and the tests of hostile calls share: which calls are made, and what an answer may look like."""
