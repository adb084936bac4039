"""Calls of a worker that is stopped in the middle: what a job can do, what all tables hold, and the worker itself."""
