"""Mutation tests: `make mutation` breaks the modules that decide and fence, one line at a time, and expects a test to fail.

modules.toml names the modules and the tests that are to notice. survivors.toml lists the mutants that no test can or need
notice, each with the reason; any other survivor makes the run fail. The operators of Python are Cosmic Ray's
(requirements/mutation.in); operators.py adds those that it lacks, and sqltext.py those of SQL inside strings.
"""
