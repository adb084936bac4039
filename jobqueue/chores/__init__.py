"""Background work of job queues: tickers, sweepers and cleaners of the engine."""
from jobqueue.chores import drift, namespaces, queues, tallies, userdata  # noqa: F401
