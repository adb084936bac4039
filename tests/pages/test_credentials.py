"""Credentials: made with a secret that is shown once, listed without it, revoked with a reason."""
from __future__ import annotations

import re

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.models import Credential
from gs2admin.identity.sealed import secret_hash
from gs2admin.identity.services.credentials import create_credential, revoke_credential

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(project):
    return lambda name="credentials", **more: reverse(name, kwargs={"project": project.name, **more})


@pytest.fixture
def olga(client, owner):
    client.force_login(owner)
    return client


def fresh_key(client, url) -> str:
    return re.search(r'name="key" value="([^"]+)"', client.get(url).content.decode())[1]


def test_the_secret_is_shown_in_the_answer_and_nowhere_else(olga, page, project):
    url = page("credential-new")
    answer = olga.post(url, {"name": "build-server", "role": "service", "key": fresh_key(olga, url)})
    secret = re.search(r'id="client-secret"[^>]*>([^<]+)<', answer.content.decode())[1]
    row = Credential.objects.get(project=project, name="build-server")
    assert answer.status_code == 200 and row.secret_hash == secret_hash(secret)
    assert answer.headers["Cache-Control"] == "no-store, private"
    assert secret not in olga.get(page()).content.decode()
    assert secret not in str(dict(olga.session)) and secret not in str(list(Activity.objects.values()))


def test_sending_the_same_form_again_makes_nothing_and_shows_nothing(olga, page, project):
    url = page("credential-new")
    data = {"name": "build-server", "role": "service", "key": fresh_key(olga, url)}
    olga.post(url, data)
    revoke_credential(actor=_actor(olga), credential=Credential.objects.get())  # so that the name is free again
    again = olga.post(url, data, follow=True)
    assert Credential.objects.count() == 1
    assert "nothing new was made" in again.content.decode() and "client-secret" not in again.content.decode()


def _actor(client):
    from gs2admin.identity.actors import person
    from gs2admin.identity.models import User

    return person(User.objects.get(pk=client.session["_auth_user_id"]), door="browser")


def test_a_name_that_is_taken_is_refused_beside_the_form_and_can_be_corrected(olga, page, credential):
    url = page("credential-new")
    data = {"name": "pipeline", "role": "service", "key": fresh_key(olga, url)}
    refused = olga.post(url, data)
    assert refused.status_code == 409 and "There is a credential called pipeline already" in refused.content.decode()
    key = re.search(r'name="key" value="([^"]+)"', refused.content.decode())[1]
    corrected = olga.post(url, data | {"name": "pipeline-2", "key": key})
    assert corrected.status_code == 200 and "client-secret" in corrected.content.decode()


@pytest.mark.parametrize("name", ["", "a b", "<script>", "x" * 129])
def test_names_that_no_program_could_use_are_refused(olga, page, name):
    url = page("credential-new")
    answer = olga.post(url, {"name": name, "role": "service", "key": fresh_key(olga, url)})
    assert answer.status_code == 400 and not Credential.objects.exists()
    assert "<script>" not in answer.content.decode().split("<main")[1]


def test_a_role_that_does_not_exist_is_refused(olga, page):
    url = page("credential-new")
    answer = olga.post(url, {"name": "x", "role": "root", "key": fresh_key(olga, url)})
    assert answer.status_code == 400 and not Credential.objects.exists()


def test_revoking_asks_first_and_leaves_a_line_with_the_reason(olga, page, credential):
    row, _ = credential
    url = page("credential-revoke", pk=row.pk)
    asked = olga.get(url).content.decode()
    assert row.client_id in asked and "cannot be taken back" in asked
    assert Credential.objects.get(pk=row.pk).revoked_at is None
    done = olga.post(url, {"reason": "leaked in a log"}, follow=True).content.decode()
    assert "pipeline is revoked" in done and ">revoked<" in done
    line = Activity.objects.get(action="credential.revoke")
    assert (line.actor_name, line.reason, line.door, line.ip) == ("olga", "leaked in a log", "browser", "127.0.0.1")


def test_revoking_again_says_so(olga, page, credential):
    url = page("credential-revoke", pk=credential[0].pk)
    olga.post(url, {"reason": ""})
    assert "was revoked already" in olga.get(url, follow=True).content.decode()
    olga.post(url, {"reason": ""})
    assert Activity.objects.filter(action="credential.revoke").count() == 1


def test_a_credential_of_another_project_is_not_found(olga, page, foreign_credential):
    url = page("credential-revoke", pk=foreign_credential[0].pk)
    assert olga.get(url).status_code == olga.post(url, {}).status_code == 404
    assert Credential.objects.get(pk=foreign_credential[0].pk).revoked_at is None


def test_a_viewer_sees_neither_list_nor_button(client, viewer, page, credential):
    client.force_login(viewer)
    assert client.get(page()).status_code == 403
    assert page() not in client.get(page("members")).content.decode()


def test_the_example_names_this_server_and_keeps_the_secret_out_of_the_code(olga, page, credential):
    html = olga.get(page()).content.decode()
    assert 'steady_endpoint=&quot;http://testserver&quot;' in html or 'steady_endpoint="http://testserver"' in html
    assert credential[0].client_id in html and "GS2_CLIENT_SECRET" in html and credential[1] not in html


def test_the_list_goes_on_by_key(olga, page, project, actor_of, owner):
    for n in range(52):
        create_credential(actor=actor_of(owner), project=project, name=f"c{n}")
    first = olga.get(page()).content.decode()
    older = re.search(r'href="(\?before=\d+)"', first)[1]
    second = olga.get(page() + older).content.decode()
    assert first.count("Revoke…") == 50 and second.count("Revoke…") == 2
    assert olga.get(page() + "?before=nonsense").status_code == 200


def test_a_credential_that_signs_is_chosen_when_it_is_made_and_marked_in_the_list(olga, page):
    url = page("credential-new")
    assert "It signs requests" in olga.get(url).content.decode()
    for name, more in (("plain", {}), ("signer", {"signs": "on"})):
        olga.post(url, {"name": name, "role": "service", "key": fresh_key(olga, url), **more})
    assert [Credential.objects.get(name=name).signs for name in ("plain", "signer")] == [False, True]
    listed = olga.get(page()).content.decode()
    assert listed.count(">signs<") == 1
    sealed = Credential.objects.get(name="signer").sealed_secret
    assert sealed and sealed not in listed and sealed not in str(list(Activity.objects.values()))


def test_the_command_makes_one_that_signs(project, capsys):
    from django.core.management import call_command

    call_command("createcredential", project.name, "pipeline-2", "--signs")
    assert Credential.objects.get(name="pipeline-2").signs and "clientSecret" in capsys.readouterr().out
