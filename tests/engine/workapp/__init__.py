"""A small Django app with work to do, for the tests of the engine. Its rows are files in one directory."""
