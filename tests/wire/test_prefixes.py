"""namePrefix, wherever a list takes one: what begins so letter by letter, and nothing else."""
from __future__ import annotations

import pytest
from gs2 import job_queue, lock, script

from tests.wire.players import session_of

NAMES = ("Prefix-A", "prefix-a", "PREFIX-A", "prefix-b", "prefix_a", "prefix.a")


def _clients(session) -> dict:
    return {
        "job-queue": (job_queue, job_queue.Gs2JobQueueRestClient(session)),
        "lock": (lock, lock.Gs2LockRestClient(session)),
        "script": (script, script.Gs2ScriptRestClient(session)),
    }


@pytest.fixture
def session(server):
    opened = session_of(server, "ours")
    yield opened
    opened.disconnect()


@pytest.mark.parametrize("service", ["job-queue", "lock", "script", "scripts"])
def test_case_and_wildcards_count(session, service):
    if service == "scripts":
        client = script.Gs2ScriptRestClient(session)
        client.create_namespace(script.CreateNamespaceRequest().with_name("prefixes-of-scripts"))
        for name in NAMES:
            client.create_script(
                script.CreateScriptRequest().with_namespace_name("prefixes-of-scripts").with_name(name).with_script("result = {}")
            )
        request = script.DescribeScriptsRequest().with_namespace_name("prefixes-of-scripts")
        describe = client.describe_scripts
    else:
        api, client = _clients(session)[service]
        for name in NAMES:
            client.create_namespace(api.CreateNamespaceRequest().with_name(name))
        request = api.DescribeNamespacesRequest()
        describe = client.describe_namespaces
    for prefix in ("prefix", "prefix-", "prefix_", "prefix.", "Prefix", "PREFIX", "PREFIX-A", "prefix-a", "pREFIX", "%", "prefix%"):
        found = [item.name for item in describe(request.with_name_prefix(prefix)).items]
        assert found == sorted(name for name in NAMES if name.startswith(prefix)), prefix
