"""Settings with which a cluster ends as soon as it starts."""
from tests.engine.workapp.settings import *  # noqa: F403

Q_CLUSTER = {**Q_CLUSTER, "broker_class": "tests.engine.workapp.no_broker.Broker"}  # noqa: F405
