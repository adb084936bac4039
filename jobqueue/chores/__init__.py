"""What runs by itself: queues that wait, old rows, namespaces on their way out."""
from jobqueue.chores import drift, namespaces, queues  # noqa: F401
