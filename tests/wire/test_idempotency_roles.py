"""The duplication avoider and the caller's rights: who may not do it gets no answer of somebody who may."""
from __future__ import annotations

import pytest

from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.tokens import issue_project_token
from jobqueue.models import Job
from jobqueue.services.namespaces import create_namespace

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/job-queue/queue/user/u/job"


@pytest.fixture
def push(project, client):
    """push(role) sends the same push with the same duplication avoider by a credential of that role."""
    create_namespace(actor=SYSTEM, project=project, name="queue")
    rows = {role: create_credential(actor=SYSTEM, project=project, name=role, role=role)[0] for role in ("service", "viewer")}

    def act(role: str):
        return client.post(
            PATH, data={"jobs": [{"scriptId": "s"}]}, content_type="application/json",
            headers={"Authorization": f"Bearer {issue_project_token(rows[role])}", "X-GS2-CLIENT-ID": rows[role].client_id,
                     "X-GS2-DUPLICATION-AVOIDER": "a-1"},
        )  # fmt: skip

    return act


def test_a_remembered_answer_is_not_given_to_a_role_that_may_not_ask(push):
    assert push("viewer").status_code == 401, "it may not push"
    first = push("service")
    assert first.status_code == 200 and push("service").content == first.content
    refused = push("viewer")
    assert refused.status_code == 409 and first.json()["items"][0]["name"] not in refused.text
    assert Job.objects.count() == 1
