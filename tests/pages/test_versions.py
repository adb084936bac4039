"""The catalogue: what is newest, where it runs; registering and withdrawing."""
from __future__ import annotations

import re

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.models import Microservice, Version
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version, withdraw_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(project):
    return lambda name="versions", **more: reverse(name, kwargs={"project": project.name, **more})


@pytest.fixture
def mika(client, producer):
    client.force_login(producer)
    return client


@pytest.fixture
def register(project):
    return lambda service, version, note="": register_version(
        actor=SYSTEM, project=project, microservice=service, version=version, note=note
    )[0]


def row_of(html: str, name: str) -> str:
    return next(part for part in html.split("<tr") if f">{name}</a>" in part)


def test_the_catalogue_tells_what_is_newest_and_what_runs_where(mika, page, project, register, run):
    register("auth", "1.0.0")
    dev = create_stage(actor=SYSTEM, project=project, name="dev")
    run(promote_stage(actor=SYSTEM, stage=dev))
    register("auth", "1.1.0")
    withdraw_version(actor=SYSTEM, version=register("auth", "1.2.0-broken"))
    create_stage(actor=SYSTEM, project=project, name="live", source=dev)
    row = row_of(mika.get(page()).content.decode(), "auth")
    newest, _, rest = row.partition('data-label="Before"')
    assert "1.1.0" in newest and "1.2.0" not in row
    before, _, where = rest.partition('data-label="Pinned by"')
    assert "1.0.0" in before and "1.0.0" in where and ">dev</a>" in where and ">live</a>" not in where


def test_a_microservice_without_a_usable_version_says_so(mika, page, register):
    withdraw_version(actor=SYSTEM, version=register("auth", "1.0.0"))
    assert "all withdrawn" in mika.get(page()).content.decode()


def test_the_catalogue_is_filtered_and_goes_on_by_name(mika, page, project):
    Microservice.objects.bulk_create(Microservice(project=project, name=f"svc-{n:03}") for n in range(120))
    first = mika.get(page()).content.decode()
    assert "svc-049" in first and "svc-050" not in first
    following = re.search(r'href="(\?after=[^"]+)"', first)[1]
    second = mika.get(page() + following).content.decode()
    assert "svc-050" in second and "svc-099" in second and "svc-049<" not in second
    found = mika.get(page() + "?q=C-11").content.decode()
    assert found.count("svc-11") >= 10 and "svc-000" not in found
    assert "No microservice fits" in mika.get(page() + "?q=zzz").content.decode()
    assert "%_" in mika.get(page() + "?q=%25_").content.decode()


def test_the_catalogue_asks_the_same_few_questions_however_much_there_is(
    mika, page, project, register, django_assert_max_num_queries
):
    for n in range(40):
        for v in range(4):
            register(f"svc-{n}", f"1.{v}")
    mika.get(page())
    with django_assert_max_num_queries(12):
        mika.get(page())


def test_other_projects_versions_are_not_there(mika, page, other_project):
    register_version(actor=SYSTEM, project=other_project, microservice="secret-sauce", version="1")
    assert "secret-sauce" not in mika.get(page()).content.decode()
    assert mika.get(page("version-service", service="secret-sauce")).status_code == 404


def test_registering_by_hand_names_the_person(mika, page, project):
    data = {"microservice": "auth", "version": "1.0.0", "note": "first\nline two"}
    answer = mika.post(page("version-register"), data, follow=True)
    assert "auth 1.0.0 is registered" in answer.content.decode() and "first<br>line two" in answer.content.decode()
    assert Version.objects.get().registered_by == "mika"
    again = mika.post(page("version-service", service="auth"), {"version": "1.0.0"}, follow=True)
    assert "was registered before" in again.content.decode() and Version.objects.count() == 1


@pytest.mark.parametrize("data", [
    {"microservice": "a b", "version": "1"}, {"microservice": "me", "version": "1"}, {"microservice": "auth", "version": "1 2"},
    {"microservice": "auth", "version": "x" * 33}, {"microservice": "", "version": ""},
    {"microservice": "auth", "version": "1", "note": "n" * 1025},
])
def test_what_cannot_be_a_version_is_refused_in_the_form(mika, page, data):
    answer = mika.post(page("version-register"), data)
    assert answer.status_code == 400 and 'role="alert"' in answer.content.decode() and not Version.objects.exists()


def test_withdrawing_tells_what_it_means_asks_and_keeps_the_reason(mika, page, project, register, run):
    register("auth", "1.0.0")
    dev = create_stage(actor=SYSTEM, project=project, name="dev")
    run(promote_stage(actor=SYSTEM, stage=dev))
    bad = register("auth", "1.1.0")
    run(promote_stage(actor=SYSTEM, stage=dev))
    url = page("version-withdraw", service="auth", pk=bad.pk)
    asked = mika.get(url).content.decode()
    assert "the next promote of dev will take 1.0.0 instead" in asked and "dev pins it and keeps it" in asked
    assert Version.objects.get(pk=bad.pk).withdrawn_at is None
    done = mika.post(url, {"reason": "crashes on <start>"}, follow=True).content.decode()
    assert "crashes on &lt;start&gt;" in done and "by mika" in done
    assert Activity.objects.get(action="version.withdraw").reason == "crashes on <start>"
    assert "was withdrawn already" in mika.get(url, follow=True).content.decode()


def test_withdrawing_an_older_version_says_that_no_promote_would_take_it(mika, page, project, register):
    create_stage(actor=SYSTEM, project=project, name="dev")
    old = register("auth", "1.0.0")
    register("auth", "1.1.0")
    asked = mika.get(page("version-withdraw", service="auth", pk=old.pk)).content.decode()
    assert "It is not the newest version" in asked and "No stage pins it now" in asked and "instead" not in asked


def test_a_withdrawn_version_cannot_come_back(mika, page, register):
    withdraw_version(actor=SYSTEM, version=register("auth", "1.0.0"))
    answer = mika.post(page("version-service", service="auth"), {"version": "1.0.0"})
    assert answer.status_code == 409 and "cannot be registered again" in answer.content.decode()


def test_a_viewer_reads_but_has_no_buttons(client, viewer, page, register):
    row = register("auth", "1.0.0")
    client.force_login(viewer)
    html = client.get(page("version-service", service="auth")).content.decode()
    assert "1.0.0" in html and "Withdraw…" not in html and "Register the next version" not in html
    assert client.post(page("version-service", service="auth"), {"version": "2"}).status_code == 403
    assert client.post(page("version-withdraw", service="auth", pk=row.pk), {}).status_code == 403
    assert Version.objects.count() == 1


def test_the_versions_of_one_microservice_go_on_by_key(mika, page, register):
    for n in range(55):
        register("auth", f"1.{n}")
    first = mika.get(page("version-service", service="auth")).content.decode()
    older = re.search(r'href="(\?before=\d+)"', first)[1]
    second = mika.get(page("version-service", service="auth") + older).content.decode()
    assert ">1.54<" in first and ">1.4<" not in first and ">1.4<" in second and "newest" in first
