"""Four rollouts whose steps hang before their first tick cost no worker: the heartbeat goes on, and each step keeps its limit."""
from __future__ import annotations

import json

import pytest

from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout, Step
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from tests.conditions import until

pytestmark = pytest.mark.processes
# A client whose import takes longer than a worker may be silent, and whose kubeconfig's plug-in never answers.
CLIENT = """
import time
time.sleep({import_s})
class Configuration: api_key, cert_file, retries = {{}}, None, None
class exceptions:
    class ApiException(Exception): status = 0
ApiClient = AppsV1Api = CoreV1Api = None
"""
CONFIG = """
import subprocess
def load_kube_config(config_file, client_configuration):
    subprocess.run([config_file], stdout=subprocess.PIPE)
"""


@pytest.fixture
def tokyo(settings, tmp_path):
    """The folder of the client's stand-in, and the environment that leads to it."""
    folder = tmp_path / "libraries" / "kubernetes"
    folder.mkdir(parents=True)
    for name, text in (("__init__", ""), ("client", CLIENT.format(import_s=3.3)), ("config", CONFIG)):
        (folder / f"{name}.py").write_text(text)
    plugin = tmp_path / "gs-auth-plugin"
    plugin.write_text("#!/bin/sh\nsleep 77 & wait\n")
    plugin.chmod(0o755)
    settings.STEP_KUBECONFIGS = {"tokyo": str(plugin)}
    return {"PYTHONPATH": str(folder.parent), "GS2ADMIN_KUBECONFIGS": f"tokyo={plugin}", "WORKERS": "4"}


def test_four_slow_steps_at_once_cost_no_worker(project, tokyo, new_host):
    host = new_host(**tokyo).start()
    main = until(lambda: host.roles("qc-main"), 60, "a cluster")[0]
    register_version(actor=SYSTEM, project=project, microservice="lottery", version="1.4.0")
    phase = {"kubeconfig": "tokyo", "namespace": "game", "image": "lottery", "timeout_s": 5}
    for number in range(4):
        stage = create_stage(actor=SYSTEM, project=project, name=f"s{number}")
        set_targets(actor=SYSTEM, stage=stage, targets=[{"name": "cluster", "kind": "kubernetes", "config": {"pre": phase}}])
        promote_stage(actor=SYSTEM, stage=stage)
    until(lambda: Step.objects.filter(state="running").count() == 4, 60, "four steps at once")
    workers = {Rollout.objects.get(stage__name=f"s{number}").leased_by for number in range(4)}
    until(lambda: Rollout.objects.filter(state="failed").count() == 4, 20, lambda: json.dumps(list(
        Rollout.objects.values("state", "error"))) + host.log.read_text()[-2000:])
    assert len(workers) == 4, "each had a worker of its own"
    for step in Step.objects.filter(phase="pre"):
        assert (step.attempt, step.summary) == (1, (
            "The 5 s of this step were over before the kubeconfig tokyo was read: it hung in the program gs-auth-plugin,"
            " which was ended."))
        assert 4.5 < (step.ended_at - step.started_at).total_seconds() < 10
    assert host.roles("qc-main") == [main] and not host.said("cluster is replaced"), host.log.read_text()[-2000:]
    assert not [look for look in host.processes() if look.name in ("sleep", "gs-auth-plugin")]
