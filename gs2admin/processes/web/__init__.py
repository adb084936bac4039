"""The web process: gunicorn's worker and logger. One thread holds all connections; threads of a pool run the application.

`poller.py` reads requests and sends what clients were slow to take, and never waits for one of them. A thread of the pool gets
a request when it has arrived whole and it is its client's turn (`turns.py`), and hands its answer over when the client does not
take it at once.
"""
from gs2admin.processes.web.logger import Logger
from gs2admin.processes.web.worker import Worker

__all__ = ["Logger", "Worker"]
